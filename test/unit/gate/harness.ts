// Module test/unit/gate/harness drives a gate in virtual time and names the programs that its tests speak of.
import { Gate } from '../../../engine/gate/index.ts';
import type {
  Direction,
  GateInput,
  GateOutput,
  GateSettings,
  Identity,
  Matcher,
  Owner,
  Rule,
} from '../../../engine/gate/index.ts';
import type { FlowKey } from '../../../engine/datapath/types.ts';
import { buildIp6Packet, parseIp6, PROTOCOL } from '../../../engine/wire/index.ts';

export const OWN = parseIp6('2001:0:c000:201::1')!;
export const PEER = parseIp6('2001:db8::80')!;

export const SETTINGS: GateSettings = {
  on: true,
  exposeAll: false,
  evenWithNativeIpv6: false,
  answerEcho: false,
  sleepAfterMs: 30_000,
  networks: {},
  newNetworks: 'on',
};

/** A program that root installed, run by user 1000. */
export function program(path: string, change: Partial<Identity> = {}): Identity {
  return {
    user: 1000,
    path,
    file: { device: '1', inode: path },
    hash: null,
    group: null,
    writable: false,
    replaced: false,
    foreign: false,
    script: null,
    ...change,
  };
}

export const CURL = program('/usr/bin/curl');
export const PYTHON = program('/usr/bin/python3');

export function owner(identity: Identity, pid = 100): Owner {
  return {
    identities: [identity],
    process: { pid, startedMs: pid },
    comm: 'prog',
    confidence: 'exact',
  };
}

export function rule(id: string, matcher: Partial<Matcher>, change: Partial<Rule> = {}): Rule {
  return {
    id,
    matcher: { user: 1000, path: null, hash: null, group: null, script: null, ...matcher },
    connectOut: true,
    beReached: 'none',
    files: [],
    until: { kind: 'forever' },
    from: 'user',
    source: null,
    never: false,
    ...change,
  };
}

export const ALLOW_CURL = rule('1', { path: '/usr/bin/curl' });

export function tcp(localPort: number, remotePort = 443): FlowKey {
  return { protocol: PROTOCOL.tcp, local: OWN, localPort, remote: PEER, remotePort };
}

/** A packet from us to the peer (or back), with these bytes after its IPv6 header. */
export function packet(
  nextHeader: number,
  payload: Uint8Array,
  direction: Direction = 'out',
): Uint8Array {
  const [source, destination] = direction === 'out' ? [OWN, PEER] : [PEER, OWN];
  return buildIp6Packet({ nextHeader, hopLimit: 64, source, destination }, payload);
}

export function ports(source: number, destination: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint16(0, source);
  new DataView(bytes.buffer).setUint16(2, destination);
  return bytes;
}

/** A fragment of a UDP datagram (RFC 8200 §4.5): `next 8 | 0 8 | offset 13 | 0 2 | more 1 | id 32`. */
export function fragment(
  offset: number,
  more: boolean,
  length: number,
  id = 1,
  from: Direction = 'in',
) {
  const data = offset === 0 ? ports(...sides(from), length) : new Uint8Array(length);
  const payload = new Uint8Array(8 + length);
  payload[0] = PROTOCOL.udp;
  const view = new DataView(payload.buffer);
  view.setUint16(2, offset | (more ? 1 : 0));
  view.setUint32(4, id);
  payload.set(data, 8);
  return packet(PROTOCOL.fragment, payload, from);
}

function sides(from: Direction): [number, number] {
  return from === 'in' ? [53, 5000] : [5000, 53];
}

/** A gate on a network without a domain controller, that is told so when it looks. */
export class GateBench {
  now = 1_000;
  readonly gate: Gate;
  /** Everything it put out, but for time-outs. */
  readonly log: GateOutput[] = [];
  domain: string | null = null;
  timeout = Infinity;

  constructor(rules: readonly Rule[] = [], settings: Partial<GateSettings> = {}, damaged = false) {
    this.gate = new Gate({ ...SETTINGS, ...settings }, rules, damaged);
  }

  /** On its network, with an address, and asleep again. */
  asleep(): this {
    this.input({ kind: 'network', network: { id: 'home', nativeIpv6: false } });
    this.input({ kind: 'qualified' });
    this.pass(2_000);
    this.log.length = 0;
    return this;
  }

  input(input: GateInput): GateOutput[] {
    const from = this.log.length;
    this.gate.handleInput(input, this.now);
    for (let output = this.gate.pollOutput(); output; output = this.gate.pollOutput()) {
      if (output.kind === 'timeout') this.timeout = output.at;
      else this.log.push(output);
      if (output.kind === 'discover')
        this.gate.handleInput({ kind: 'domain', domain: this.domain }, this.now);
    }
    return this.log.slice(from);
  }

  /** Lets time pass, with every time-out that the gate asked for. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.timeout <= end) {
      this.now = Math.max(this.now, this.timeout);
      this.timeout = Infinity;
      this.input({ kind: 'timeout' });
    }
    this.now = end;
  }

  /** The first packet of a flow whose socket belongs to `who` (null: nobody is found). */
  flow(flow: FlowKey, cookie: bigint | null, who: Owner | null, direction: Direction = 'out') {
    const asked = this.input({ kind: 'flow', flow, direction });
    if (!asked.some((output) => output.kind === 'resolve')) return asked;
    return [...asked, ...this.input({ kind: 'socket', flow, direction, cookie, owner: who })];
  }

  kinds(): string[] {
    return this.log.map((output) => output.kind);
  }
}

/** What became of the flow in `outputs`: its last verdict. */
export function flowVerdict(outputs: readonly GateOutput[]): string {
  const flows = outputs.filter((output) => output.kind === 'flow');
  const last = flows[flows.length - 1];
  return last ? `${last.verdict} ${last.reason}` : 'none';
}
