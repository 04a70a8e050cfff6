// Module host/linux-probe opens sockets for probes and looks at routes, interfaces, firewall and helper of a Linux machine.
import { createSocket } from 'node:dgram';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { formatIp4, formatIp6, isTeredo, parseIp4, TEREDO_PORT } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import { readAddresses6 } from './linux-addresses6.ts';
import type { FirewallFacts, MachineFacts, ProbeOptions, ProbeSocket } from './probe-types.ts';
import { helperReady } from './privilege.ts';

const NFT_MS = 2_000;
/** Interfaces of other Teredo programs carry such a name. */
const TEREDO_NAME = /teredo|miredo/i;

/** A UDP socket on a port that the system chooses. Rejects with the system's error. */
export function openLinuxProbe(options: ProbeOptions): Promise<ProbeSocket> {
  const { connectTo, onDatagram, onRefused } = options;
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const refused = (error: NodeJS.ErrnoException): void => onRefused?.(error.code ?? 'EIO');
    let open = true;
    const probe = (): void => {
      socket.removeListener('error', reject);
      socket.on('error', refused);
      resolve({
        port: socket.address().port,
        send: (to, bytes) => {
          const done = (error: Error | null): void => {
            if (error && open) refused(error);
          };
          if (!open) return;
          if (connectTo) socket.send(bytes, done);
          else socket.send(bytes, to.port, formatIp4(to.ip), done);
        },
        close: () => {
          if (!open) return;
          open = false;
          socket.close();
        },
      });
    };
    socket.once('error', reject);
    socket.on('message', (bytes, { address, port }) => {
      const ip = parseIp4(address);
      if (open && ip !== undefined) onDatagram({ ip, port }, new Uint8Array(bytes));
    });
    if (connectTo)
      socket.connect(connectTo.port, formatIp4(connectTo.ip), (error?: Error) => {
        if (!error) probe();
      });
    else socket.bind(0, probe);
  });
}

/** True when somebody answers at `to`, be it by a refusal. */
export function answersTcp(to: Endpoint, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: formatIp4(to.ip), port: to.port });
    const end = (answered: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), ms);
    socket.on('connect', () => end(true));
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
  });
}

/** Looks at this machine; `adapter` is ours. */
export async function readMachine(adapter: string | null): Promise<MachineFacts> {
  const addresses = readAddresses6().filter(({ name }) => name !== adapter);
  const native = addresses.find(({ address }) => isNative(address));
  return {
    otherTeredo: otherTeredo(adapter, addresses),
    teredoRoute: teredoRoute(),
    native6: native ? formatIp6(native.address) : null,
    firewall: await firewall(adapter),
    helper: helperReady(),
  };
}

/** Global unicast, 2000::/3, but neither Teredo nor 6to4. */
function isNative(address: bigint): boolean {
  return address >> 125n === 1n && !isTeredo(address) && address >> 112n !== 0x2002n;
}

function otherTeredo(
  adapter: string | null,
  addresses: readonly { readonly name: string; readonly address: bigint }[],
): MachineFacts['otherTeredo'] {
  let names: string[];
  try {
    names = readFileSync('/proc/net/dev', 'utf8')
      .split('\n')
      .flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? []);
  } catch {
    return null;
  }
  const holders = new Map(
    addresses.filter(({ address }) => isTeredo(address)).map((each) => [each.name, each.address]),
  );
  return names
    .filter((name) => name !== adapter && (TEREDO_NAME.test(name) || holders.has(name)))
    .map((name) => {
      const address = holders.get(name);
      return { name, address: address === undefined ? null : formatIp6(address) };
    });
}

/** Interface of the route to 2001::/32: lines of /proc/net/ipv6_route (destination, prefix length in hex, …, interface). */
function teredoRoute(): string | null {
  let text: string;
  try {
    text = readFileSync('/proc/net/ipv6_route', 'utf8');
  } catch {
    return null;
  }
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0]?.startsWith('20010000') && words[1] === '20') return words.at(-1)!;
  }
  return 'none';
}

/** Reads the rules of nftables, which iptables of today writes, too; only root may. */
async function firewall(adapter: string | null): Promise<FirewallFacts> {
  const unknown = { readable: false, against: [] };
  if (process.getuid!() !== 0) return unknown;
  const nft = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'].find((path) => existsSync(path));
  if (nft === undefined) return unknown;
  const text = await new Promise<string | null>((resolve) => {
    execFile(
      nft,
      ['-j', 'list', 'ruleset'],
      { timeout: NFT_MS, maxBuffer: 32 << 20 },
      (error, out) => resolve(error ? null : out),
    );
  });
  if (text === null) return unknown;
  try {
    return { readable: true, against: rulesAgainst(JSON.parse(text), adapter) };
  } catch {
    return unknown;
  }
}

interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr: readonly Record<string, unknown>[];
}

/**
 * The rules in `ruleset` (`nft -j list ruleset`) that drop or reject all UDP, UDP to port 3544, or what passes `adapter`; only
 * rules that look at nothing else count, for others may never match.
 */
export function rulesAgainst(ruleset: unknown, adapter: string | null): string[] {
  const entries = (ruleset as { nftables: Record<string, unknown>[] }).nftables;
  const hooks = new Map<string, string>();
  for (const { chain } of entries as {
    chain?: { family: string; table: string; name: string; hook?: string };
  }[])
    if (chain?.hook !== undefined)
      hooks.set(`${chain.family} ${chain.table} ${chain.name}`, chain.hook);
  return entries.flatMap((entry) => {
    const rule = entry['rule'] as NftRule | undefined;
    if (!rule) return [];
    const place = `${rule.family} ${rule.table} ${rule.chain}`;
    const hook = hooks.get(place);
    if (hook !== 'input' && hook !== 'output') return [];
    const what = droppedBy(rule.expr, adapter, hook);
    return what === null
      ? []
      : [`table ${rule.family} ${rule.table}, chain ${rule.chain}: ${what}`];
  });
}

/** What a rule drops of ours, null when nothing for sure. */
function droppedBy(
  expr: readonly Record<string, unknown>[],
  adapter: string | null,
  hook: 'input' | 'output',
): string | null {
  const drops = expr.some((each) => 'drop' in each || 'reject' in each);
  if (!drops) return null;
  let udp = false;
  let port = false;
  let ours = false;
  for (const each of expr) {
    if ('drop' in each || 'reject' in each || 'counter' in each || 'log' in each) continue;
    const match = each['match'] as
      { op: string; left: Record<string, unknown>; right: unknown } | undefined;
    if (match?.op !== '==') return null;
    const meta = (match.left['meta'] as { key?: string } | undefined)?.key;
    const payload = match.left['payload'] as { protocol?: string; field?: string } | undefined;
    const side = hook === 'output' ? 'dport' : 'sport';
    if (meta === 'l4proto' && isProtocol(match.right)) udp = true;
    else if (payload?.protocol === 'ip' && payload.field === 'protocol' && isProtocol(match.right))
      udp = true;
    else if (payload?.protocol === 'udp' && payload.field === side && match.right === TEREDO_PORT)
      port = true;
    else if ((meta === 'iifname' || meta === 'oifname') && match.right === adapter) ours = true;
    else return null;
  }
  if (ours) return `drops what passes the adapter ${adapter}`;
  if (port) return `drops UDP port ${TEREDO_PORT}`;
  return udp ? 'drops all UDP' : null;
}

const isProtocol = (value: unknown): boolean => value === 'udp' || value === 17;
