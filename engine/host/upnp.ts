// Module host/upnp asks a router for ports by UPnP-IGD: SSDP finds it, SOAP over HTTP speaks to it.
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';
import type { request as ask } from 'node:http';
import { formatIp4, parseIp4 } from '../wire/index.ts';
import type { Ip4 } from '../wire/index.ts';
import type { UpnpEntry, UpnpGateway } from './probe-types.ts';

const SSDP = { group: '239.255.255.250', port: 1900 } as const;
const TARGETS = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
] as const;
/** What can map ports, the best first (UPnP IGD:2 §2.5, IGD:1). */
const SERVICES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const;
/** A description of a router is some kilobytes long. */
const MAX_BODY = 256 * 1024;
const HTTP_MS = 2_000;
/** Each search is sent again after this time, ms: multicast gets lost. */
const SEARCH_EVERY_MS = 400;
/** No such mapping (IGD:1 §2.4.16). */
const NO_ENTRY = [713, 714];

/** A refusal of the router, with its UPnP error code (0: none was given). */
export class UpnpError extends Error {
  readonly code: number;
  constructor(code: number, text: string) {
    super(text);
    this.name = 'UpnpError';
    this.code = code;
  }
}

/** The gateway of ours that offers UPnP-IGD; null when none answers within `ms`. Only `gateways` are believed: anybody on the link could answer. */
export async function findUpnp(
  local: Ip4,
  gateways: readonly Ip4[],
  ms: number,
): Promise<UpnpGateway | null> {
  const location = await search(local, gateways, ms);
  if (!location) return null;
  try {
    const description = await http('GET', location, {}, '');
    for (const service of SERVICES) {
      const path = controlPath(description, service);
      if (path === null) continue;
      const base = /<URLBase>\s*([^<]+?)\s*<\/URLBase>/i.exec(description)?.[1];
      const control = new URL(unescaped(path), base ?? location);
      if (control.hostname === location.hostname) return gateway(control, service);
    }
  } catch {
    // It answers the search and nothing else: it offers nothing.
  }
  return null;
}

/** Where a gateway describes itself. */
function search(local: Ip4, gateways: readonly Ip4[], ms: number): Promise<URL | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    let open = true;
    const end = (found: URL | null): void => {
      if (!open) return;
      open = false;
      clearTimeout(limit);
      clearInterval(again);
      socket.close();
      resolve(found);
    };
    const ask = (): void => {
      for (const target of TARGETS) {
        const text = `M-SEARCH * HTTP/1.1\r\nHOST: ${SSDP.group}:${SSDP.port}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ${target}\r\n\r\n`;
        for (const to of [SSDP.group, ...gateways.map(formatIp4)])
          socket.send(text, SSDP.port, to, () => undefined);
      }
    };
    const limit = setTimeout(() => end(null), ms);
    const again = setInterval(ask, SEARCH_EVERY_MS);
    socket.on('error', () => end(null));
    socket.on('message', (bytes, { address }) => {
      if (!gateways.includes(parseIp4(address) ?? -1)) return;
      const url = /^location:\s*(\S+)\s*$/im.exec(bytes.toString('latin1'))?.[1];
      const parsed = url === undefined ? null : urlOf(url);
      if (parsed?.protocol === 'http:' && parsed.hostname === address) end(parsed);
    });
    socket.bind(0, formatIp4(local), () => {
      socket.setMulticastTTL(2);
      ask();
    });
  });
}

/** Null for what is no URL. */
function urlOf(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Path of the control URL of `service` in a device description. */
export function controlPath(description: string, service: string): string | null {
  for (const [block] of description.matchAll(/<service>[\s\S]*?<\/service>/gi)) {
    const type = /<serviceType>\s*([^<]+?)\s*<\/serviceType>/i.exec(block)?.[1];
    const control = /<controlURL>\s*([^<]+?)\s*<\/controlURL>/i.exec(block)?.[1];
    if (type === service && control !== undefined) return control;
  }
  return null;
}

function gateway(control: URL, service: string): UpnpGateway {
  const call = (action: string, values: Record<string, string | number>): Promise<string> => {
    const inside = Object.entries(values)
      .map(([name, value]) => `<${name}>${escaped(String(value))}</${name}>`)
      .join('');
    const body = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:${action} xmlns:u="${service}">${inside}</u:${action}></s:Body></s:Envelope>`;
    return http('POST', control, { SOAPAction: `"${service}#${action}"` }, body);
  };
  const port = (externalPort: number) => ({
    NewRemoteHost: '',
    NewExternalPort: externalPort,
    NewProtocol: 'UDP',
  });
  return {
    address: parseIp4(control.hostname)!,
    externalAddress: async () =>
      parseIp4(value(await call('GetExternalIPAddress', {}), 'NewExternalIPAddress')) ?? null,
    entry: async (externalPort): Promise<UpnpEntry | null> => {
      try {
        const answer = await call('GetSpecificPortMappingEntry', port(externalPort));
        return {
          client: value(answer, 'NewInternalClient'),
          internalPort: Number(value(answer, 'NewInternalPort')),
          description: value(answer, 'NewPortMappingDescription'),
        };
      } catch (error) {
        if (error instanceof UpnpError && NO_ENTRY.includes(error.code)) return null;
        throw error;
      }
    },
    add: async ({ externalPort, internalPort, client, description, lifetime }) => {
      await call('AddPortMapping', {
        ...port(externalPort),
        NewInternalPort: internalPort,
        NewInternalClient: formatIp4(client),
        NewEnabled: 1,
        NewPortMappingDescription: description,
        NewLeaseDuration: lifetime,
      });
    },
    remove: async (externalPort) => {
      await call('DeletePortMapping', port(externalPort));
    },
  };
}

/** Body of the answer. Rejects with UpnpError, or with the failure of the connection. */
function http(
  method: string,
  url: URL,
  headers: Record<string, string>,
  body: string,
): Promise<string> {
  // Not before it is needed: at each start it would cost a third of the time.
  const { request } = createRequire('/')('node:http') as { request: typeof ask };
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method,
        timeout: HTTP_MS,
        headers: {
          ...headers,
          ...(body !== '' && {
            'Content-Type': 'text/xml; charset="utf-8"',
            'Content-Length': Buffer.byteLength(body),
          }),
          Connection: 'close',
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > MAX_BODY) sent.destroy(new Error('too long'));
        });
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(text);
          else {
            const code = Number(/<errorCode>\s*(\d+)\s*<\/errorCode>/i.exec(text)?.[1] ?? 0);
            const why = /<errorDescription>\s*([^<]*?)\s*<\/errorDescription>/i.exec(text)?.[1];
            reject(new UpnpError(code, unescaped(why ?? `HTTP ${answer.statusCode}`)));
          }
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Text of the element `name`; empty when there is none. */
function value(xml: string, name: string): string {
  return unescaped(new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.trim() ?? '');
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
const unescaped = (text: string): string =>
  text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name]!);
const escaped = (text: string): string =>
  text.replace(/[<>&"']/g, (mark) => {
    const name = Object.keys(ENTITIES).find((each) => ENTITIES[each] === mark)!;
    return `&${name};`;
  });
