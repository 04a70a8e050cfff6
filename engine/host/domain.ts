// Module host/domain finds out whether a domain controller answers on this network: DNS SRV for each search suffix, then a netlogon ping.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { readFileSync, realpathSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { buildServiceQuery, parseServiceAnswer } from '../gate/dns.ts';
import type { ServiceRecord } from '../gate/dns.ts';
import { buildNetlogonPing, parseNetlogonAnswer } from '../gate/cldap.ts';

/** Names are looked up for so long at most, ms: an allowed program waits for it. */
const DNS_MS = 1_500;
/** A controller on the same network answers within milliseconds, ms; asked twice. */
const PING_MS = 1_000;
const PING_TRIES = 2;
const LDAP_PORT = 389;
const DNS_PORT = 53;
const DNS_TRIES = 2;
const MAX_SERVERS = 3;
/** Suffixes that are asked about, and controllers of each that are pinged. */
const MAX_SUFFIXES = 6;
const MAX_CONTROLLERS = 4;

/** Search suffixes of this machine (resolv.conf(5)); the last `search` or `domain` line rules. */
export function searchSuffixes(path = '/etc/resolv.conf'): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  let suffixes: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === 'search') suffixes = words;
    else if (keyword === 'domain') suffixes = words.slice(0, 1);
  }
  return suffixes
    .map((suffix) => suffix.replace(/\.$/, ''))
    .filter((suffix) => suffix !== '')
    .slice(0, MAX_SUFFIXES);
}

/** Calls back when the search suffixes may have changed: their file is replaced as often as it is written. */
export function watchSuffixes(callback: () => void, path = '/etc/resolv.conf'): () => void {
  try {
    const real = realpathSync(path);
    const watcher = watch(dirname(real), { persistent: false }, (_, name) => {
      if (name === basename(real)) callback();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}

/** The domain whose controller answers, null when none does. Never rejects; takes 3.5 s at most. */
export async function findDomain(suffixes: readonly string[]): Promise<string | null> {
  const found = await Promise.all(suffixes.map((suffix) => domainOf(suffix)));
  return found.find((domain) => domain !== null) ?? null;
}

async function domainOf(suffix: string): Promise<string | null> {
  const resolver = new Resolver({ timeout: DNS_MS, tries: 1 });
  const name = `_ldap._tcp.dc._msdcs.${suffix}`;
  const servers = resolver.getServers().slice(0, MAX_SERVERS);
  const records = (await Promise.all(servers.map((server) => askForService(server, name)))).find(
    (answer) => answer !== null && answer.length > 0,
  );
  if (!records) return null;
  const names = [...records]
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
    .slice(0, MAX_CONTROLLERS)
    .map(({ target }) => target);
  const addresses = await Promise.all(
    names.map((each) => resolver.resolve4(each).catch((): string[] => [])),
  );
  const answers = await Promise.all(
    addresses
      .flat()
      .slice(0, MAX_CONTROLLERS)
      .map((address) => ping(address, suffix)),
  );
  return answers.includes(true) ? suffix : null;
}

interface Exchange<T> {
  readonly address: string;
  readonly port: number;
  readonly request: Uint8Array;
  readonly tries: number;
  readonly everyMs: number;
  /** Undefined: this is not the answer; wait on. */
  readonly read: (bytes: Uint8Array) => T | undefined;
}

/** Sends a datagram until something that `read` understands comes back from there; null when nothing does. */
function exchange<T>(how: Exchange<T>): Promise<T | null> {
  const { address, port, request, tries, everyMs, read } = how;
  return new Promise((resolve) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    let sent = 0;
    const end = (answer: T | null): void => {
      clearInterval(timer);
      socket.close();
      resolve(answer);
    };
    const ask = (): void => {
      if (sent++ === tries) end(null);
      else socket.send(request, port, address, () => undefined);
    };
    const timer = setInterval(ask, everyMs);
    socket.on('error', () => end(null));
    socket.on('message', (bytes, from) => {
      if (from.address !== address || from.port !== port) return;
      const answer = read(bytes);
      if (answer !== undefined) end(answer);
    });
    ask();
  });
}

/** Asks one name server; `server` is an address, perhaps with a port, as `Resolver.getServers` names it. */
function askForService(server: string, name: string): Promise<ServiceRecord[] | null> {
  const id = randomInt(0x10000);
  const request = buildServiceQuery(name, id);
  // `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1`, `[2001:db8::1]:5353`.
  const match = isIP(server) ? null : /^\[?(.+?)\]?:(\d+)$/.exec(server);
  const [address, port] = match ? [match[1]!, Number(match[2])] : [server, DNS_PORT];
  if (!request || isIP(address) === 0) return Promise.resolve(null);
  return exchange({
    address,
    port,
    request,
    tries: DNS_TRIES,
    everyMs: DNS_MS / DNS_TRIES,
    // An answer that there is no such name is an answer, too.
    read: (bytes) =>
      bytes[0] === id >> 8 && bytes[1] === (id & 255)
        ? (parseServiceAnswer(bytes, id) ?? [])
        : undefined,
  });
}

/** True when the controller at `address` answers for `domain`. */
async function ping(address: string, domain: string): Promise<boolean> {
  const messageId = randomInt(1, 0x7fffffff);
  const answered = await exchange({
    address,
    port: LDAP_PORT,
    request: buildNetlogonPing(domain, messageId),
    tries: PING_TRIES,
    everyMs: PING_MS / PING_TRIES,
    read: (bytes) => {
      const answer = parseNetlogonAnswer(bytes);
      return answer?.messageId === messageId && answer.domain.toLowerCase() === domain.toLowerCase()
        ? true
        : undefined;
    },
  });
  return answered === true;
}
