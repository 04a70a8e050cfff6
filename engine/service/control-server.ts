// Module service/control-server answers the API's calls on a Unix socket, one JSON line each.
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { calls, requestSchema } from './api.ts';
import type { Api, CallName, RelayApi, ServerApi } from './api.ts';
import { codeOf, ServiceError } from './errors.ts';
import { onLine } from './lines.ts';
import { performCall } from './perform.ts';
import type { SliceFeed } from './slice-feed.ts';

/** A request longer than this is no request of ours. */
const MAX_LINE = 64 * 1024;

/** A watcher that leaves so much unread is hung up on. */
const MAX_UNREAD = 32 * 1024 * 1024;

/** A client, a server or a relay. */
type AnyApi = Api | ServerApi | RelayApi;

/** What is served: calls and, of a client, slices. */
interface Served {
  readonly api: AnyApi;
  readonly feed: SliceFeed | null;
}

export interface ControlServer {
  /** From now on calls are answered; until then they wait. Who sends the call `watch` hears of every slice of `feed`. */
  serve(api: AnyApi, feed?: SliceFeed): void;
  close(): void;
}

/** More at once than all commands of a person and his scripts; the rest is hung up on, so that files are left for the tunnel. */
const MAX_CONNECTIONS = 64;

/** Makes the folder of the socket at `path`. Throws ServiceError 'control-failed'. */
export function makeControlFolder(path: string, forAnother: boolean): void {
  try {
    // Root's folder lets the user through for whom the socket is; a user's own is his alone.
    mkdirSync(dirname(path), { recursive: true, mode: forAnother ? 0o755 : 0o700 });
  } catch (error) {
    throw new ServiceError(
      'control-failed',
      `The folder ${dirname(path)} could not be made: ${message(error)}.`,
    );
  }
}

/**
 * Listens at `path` with mode 0600, owned by `owner` if given. A socket left over by a dead process is replaced; a living one is
 * refused with ServiceError 'already-running'.
 */
export async function listenControl(
  path: string,
  owner?: { uid: number; gid: number },
): Promise<ControlServer> {
  makeControlFolder(path, owner !== undefined);
  await removeLeftover(path);
  let provide: (served: Served) => void = () => undefined;
  const served = new Promise<Served>((resolve) => (provide = resolve));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveSocket(socket, served);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  chmodSync(path, 0o600);
  if (owner) chownSync(path, owner.uid, owner.gid);
  return {
    serve: (api, feed) => provide({ api, feed: feed ?? null }),
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const mask = process.umask(0o177);
    server.once('error', (error) => {
      reject(
        new ServiceError(
          'control-failed',
          `The control socket ${path} could not be made (${error.message}); choose another place with --control, or set XDG_RUNTIME_DIR.`,
        ),
      );
    });
    server.listen(path, resolve);
    process.umask(mask);
  });
}

/** Removes a socket that nobody listens at any more. Throws ServiceError 'already-running' when somebody does. */
export async function removeLeftover(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket())
    throw new ServiceError(
      'control-failed',
      `${path} exists and is no socket; remove it or choose another with --control.`,
    );
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Any other failure (no permission, a full queue) comes from a socket that somebody serves.
    probe.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
  if (alive)
    throw new ServiceError(
      'already-running',
      `Shipworm is already running with ${path}. See: shipworm status`,
    );
  // The dead process's sweeper may be quicker.
  rmSync(path, { force: true });
}

function serveSocket(socket: Socket, served: Promise<Served>): void {
  socket.on('error', () => socket.destroy());
  const write = (response: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(response)}\n`);
  };
  /** Sends every update with the id of the request, until the connection ends. */
  const watch = (id: number, feed: SliceFeed): void => {
    const stop = feed.watch((update) => {
      if (socket.writableLength > MAX_UNREAD) socket.destroy();
      else write({ id, update });
    });
    if (socket.destroyed) stop();
    else socket.on('close', stop);
  };
  let watching = false;
  onLine(socket, MAX_LINE, (line) => {
    void answer(line, served, (id, feed) => {
      if (watching) throw new ServiceError('bad-request', 'This connection watches already.');
      watching = true;
      watch(id, feed);
    }).then((response) => {
      if (response) write(response);
    });
  });
}

/** The answer to `line`; null when `watch` took it over. */
async function answer(
  line: string,
  served: Promise<Served>,
  watch: (id: number, feed: SliceFeed) => void,
): Promise<object | null> {
  let id = 0;
  const fail = (code: string, text: string): object => ({ id, error: { code, text } });
  try {
    const request = requestSchema.safeParse(JSON.parse(line));
    if (!request.success) return fail('bad-request', 'A request is {"id", "call", "params"}.');
    id = request.data.id;
    const { call, params } = request.data;
    if (call !== 'watch' && !Object.hasOwn(calls, call))
      return fail('unknown-call', `There is no call ${call}.`);
    const { api, feed } = await served;
    if (call === 'watch') {
      if (!feed) return fail('unknown-call', 'What runs there can’t be watched.');
      watch(id, feed);
      return null;
    }
    return { id, result: await performCall(api, call as CallName, params) };
  } catch (error) {
    if (error instanceof SyntaxError) return fail('bad-request', 'A request is one line of JSON.');
    return fail(codeOf(error), message(error));
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
