// Module service/metrics-server answers Prometheus on a loopback port, and nobody else.
import { createRequire } from 'node:module';
import type { createServer as create, IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { ServiceError } from './errors.ts';
import type { AnyStatus } from './metrics.ts';

/** A loopback address and a TCP port. */
export interface MetricsEndpoint {
  readonly address: string;
  readonly port: number;
}

/** Prometheus asks every few seconds over one connection; the rest is room for a person with curl. */
const MAX_CONNECTIONS = 16;
/** Nothing that asks for metrics says more. */
const MAX_HEADER_BYTES = 8 * 1024;
/** A question takes no longer, ms. */
const REQUEST_MS = 2_000;
/** One text serves all who ask within this time, ms: asking fast costs next to nothing. */
const FRESH_MS = 1_000;

const PATTERN = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost):(\d{1,5})$/;
/** What a page in a browser that was lured here can't send (DNS rebinding). */
const OWN_HOST = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost)(:\d{1,5})?$/i;

/** The setting `metrics`. */
export const metricsEndpoint = z
  .string('must be text, e.g. "127.0.0.1:9544"')
  .refine(
    (text) => parseMetricsEndpoint(text) !== null,
    'must be a loopback address and a port, e.g. "127.0.0.1:9544": the metrics are for this machine alone',
  );

/** Null: not an endpoint on loopback. */
export function parseMetricsEndpoint(text: string): MetricsEndpoint | null {
  const [, host, digits] = PATTERN.exec(text) ?? [];
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return null;
  if (host.startsWith('127') && host.split('.').some((part) => Number(part) > 255)) return null;
  const address = host === '[::1]' ? '::1' : host === 'localhost' ? '127.0.0.1' : host;
  return { address, port };
}

/**
 * Serves the metrics of `status` at `endpoint` until closed; does nothing when that is null. Throws ServiceError
 * 'metrics-failed' when the port can't be had.
 */
export async function serveMetrics(
  endpoint: MetricsEndpoint | null,
  status: () => AnyStatus,
): Promise<{ close(): void }> {
  if (endpoint === null) return { close: () => undefined };
  const { metricsOf } = await import('./metrics.ts');
  const registry = await metricsOf(status);
  let text: Promise<string> | null = null;
  const fresh = (): Promise<string> => {
    if (text === null) {
      text = registry.metrics();
      setTimeout(() => (text = null), FRESH_MS).unref();
    }
    return text;
  };
  // An import would bring fetch and all that belongs to it, too, at each start: a quarter of its time.
  const { createServer } = createRequire('/')('node:http') as {
    createServer: typeof create;
  };
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => {
    void answer(request, response, registry.contentType, fresh);
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  const { address, port } = endpoint;
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'it is in use' : message;
      const shown = address.includes(':') ? `[${address}]` : address;
      reject(
        new ServiceError(
          'metrics-failed',
          `The metrics can’t be served at ${shown}:${port} (${why}); choose another port with --metrics.`,
        ),
      );
    });
    server.listen({ host: address, port, exclusive: true }, resolve);
  });
  server.removeAllListeners('error');
  server.on('error', () => undefined);
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  contentType: string,
  text: () => Promise<string>,
): Promise<void> {
  const refuse = ([code, why]: readonly [number, string]): void => {
    // What a refused question still has to say is not listened to.
    response.writeHead(code, { 'content-type': 'text/plain', connection: 'close' });
    response.end(`${why}\n`, () => request.destroy());
  };
  const refusal = judge(request);
  if (refusal) {
    refuse(refusal);
    return;
  }
  try {
    const body = await text();
    response.writeHead(200, { 'content-type': contentType });
    response.end(request.method === 'HEAD' ? '' : body);
  } catch {
    refuse([500, 'The status could not be read.']);
  }
}

/** Status code and reason for what is no question for metrics; null: it is one. */
function judge({ method, url, headers }: IncomingMessage): readonly [number, string] | null {
  if (!OWN_HOST.test(headers.host ?? '')) return [403, 'Ask by a loopback address.'];
  if (method !== 'GET' && method !== 'HEAD') return [405, 'Only GET.'];
  if (url?.split('?', 1)[0] !== '/metrics') return [404, 'See /metrics.'];
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    return [400, 'A question has no body.'];
  return null;
}
