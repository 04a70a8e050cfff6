// Module service/control-server answers the API's calls on a Unix socket, one JSON line each.
import { chmodSync, chownSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { calls, requestSchema } from './api.ts';
import type { Api, CallName, RelayApi, ServerApi } from './api.ts';
import { ServiceError } from './errors.ts';
import { onLine } from './lines.ts';

/** A request longer than this is no request of ours. */
const MAX_LINE = 64 * 1024;

/** A client, a server or a relay. */
type AnyApi = Api | ServerApi | RelayApi;

export interface ControlServer {
  /** From now on calls are answered; until then they wait. */
  serve(api: AnyApi): void;
  close(): void;
}

/** More at once than all commands of a person and his scripts; the rest is hung up on, so that files are left for the tunnel. */
const MAX_CONNECTIONS = 64;

/**
 * Listens at `path` with mode 0600, owned by `owner` if given. A socket left over by a dead process is replaced; a living one is
 * refused with ServiceError 'already-running'.
 */
export async function listenControl(
  path: string,
  owner?: { uid: number; gid: number },
): Promise<ControlServer> {
  try {
    // Root's folder lets the user through for whom the socket is; a user's own is his alone.
    mkdirSync(dirname(path), { recursive: true, mode: owner ? 0o755 : 0o700 });
  } catch (error) {
    throw new ServiceError(
      'control-failed',
      `The folder ${dirname(path)} could not be made: ${message(error)}.`,
    );
  }
  await removeLeftover(path);
  let provide: (api: AnyApi) => void = () => undefined;
  const api = new Promise<AnyApi>((resolve) => (provide = resolve));
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveSocket(socket, api);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  chmodSync(path, 0o600);
  if (owner) chownSync(path, owner.uid, owner.gid);
  return {
    serve: provide,
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

function serveSocket(socket: Socket, api: Promise<AnyApi>): void {
  socket.on('error', () => socket.destroy());
  onLine(socket, MAX_LINE, (line) => {
    void answer(line, api).then((response) => {
      if (socket.writable) socket.write(`${JSON.stringify(response)}\n`);
    });
  });
}

async function answer(line: string, api: Promise<AnyApi>): Promise<object> {
  let id = 0;
  const fail = (code: string, text: string): object => ({ id, error: { code, text } });
  try {
    const request = requestSchema.safeParse(JSON.parse(line));
    if (!request.success) return fail('bad-request', 'A request is {"id", "call", "params"}.');
    id = request.data.id;
    const { call, params } = request.data;
    if (!Object.hasOwn(calls, call)) return fail('unknown-call', `There is no call ${call}.`);
    const name = call as CallName;
    const parsed = calls[name].params.safeParse(params ?? {});
    if (!parsed.success)
      return fail('bad-request', parsed.error.issues.map((i) => i.message).join('; '));
    const method = ((await api) as Partial<Api>)[name] as
      ((given: unknown) => Promise<unknown>) | undefined;
    if (!method)
      return fail('unknown-call', `What runs there has no ${name}; see: shipworm status`);
    return { id, result: await method(parsed.data) };
  } catch (error) {
    if (error instanceof SyntaxError) return fail('bad-request', 'A request is one line of JSON.');
    return fail(error instanceof ServiceError ? error.code : 'failed', message(error));
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
