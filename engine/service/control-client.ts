// Module service/control-client makes the API's calls to a running service over its control socket.
import { connect } from 'node:net';
import { z } from 'zod';
import {
  calls,
  relayStatusSchema,
  responseSchema,
  serverStatusSchema,
  statusSchema,
} from './api.ts';
import type { CallName, CallResult, Params, RelayStatus, ServerStatus, Status } from './api.ts';
import { ServiceError } from './errors.ts';
import { onLine } from './lines.ts';

/** A status with 10,000 peers fits. */
const MAX_LINE = 16 * 1024 * 1024;
const CALL_MS = 5_000;
/** For calls that may have the person asked by the keychain. */
export const PATIENT_MS = 75_000;

/**
 * Makes one call to the first of `paths` where somebody listens. Rejects with ServiceError: 'not-running' when nobody does,
 * 'failed' when no answer comes within `timeoutMs`, else what the service says.
 */
export async function callService<C extends CallName>(
  paths: readonly string[],
  call: C,
  params: Params<C>,
  timeoutMs = CALL_MS,
): Promise<CallResult<C>> {
  const result = await request(paths, call, params, timeoutMs);
  return understood(calls[call].result, result) as CallResult<C>;
}

/** The status of whatever runs there: a client, or a server or relay (which have a `role`). Rejects as `callService`. */
export async function callStatus(
  paths: readonly string[],
): Promise<Status | ServerStatus | RelayStatus> {
  const result = await request(paths, 'status', {}, CALL_MS);
  return understood(z.union([serverStatusSchema, relayStatusSchema, statusSchema]), result);
}

/** `value` in the words of `schema`; what does not fit comes from a service of another version. */
function understood<S extends z.ZodType>(schema: S, value: unknown): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    'failed',
    'What runs there answers in another way than this version understands; use the shipworm it was started with.',
  );
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function request(
  paths: readonly string[],
  call: CallName,
  params: unknown,
  timeoutMs: number,
): Promise<unknown> {
  let refused: string | null = null;
  for (const path of paths) {
    try {
      const line = await exchange(path, JSON.stringify({ id: 1, call, params }), timeoutMs);
      const response = understood(responseSchema, parseJson(line));
      if ('error' in response) throw new ServiceError(response.error.code, response.error.text);
      return response.result;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EACCES') refused = path;
      else if (code !== 'ENOENT' && code !== 'ECONNREFUSED') throw error;
    }
  }
  if (refused)
    throw new ServiceError(
      'not-running',
      `${refused} belongs to another user; ask as that user, or with sudo.`,
    );
  throw new ServiceError(
    'not-running',
    `Shipworm is not running (nobody listens at ${paths.slice(0, 2).join(' or ')}${paths.length > 2 ? ', nor where systemd starts it' : ''}). Start it with: shipworm client`,
  );
}

function exchange(path: string, request: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(`${request}\n`));
    const end = (settle: () => void): void => {
      socket.destroy();
      settle();
    };
    socket.setTimeout(timeoutMs, () => {
      end(() =>
        reject(new ServiceError('failed', `No answer from ${path} within ${timeoutMs / 1000} s.`)),
      );
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new ServiceError('failed', `${path} closed the connection.`)));
    onLine(socket, MAX_LINE, (line) => end(() => resolve(line)));
  });
}
