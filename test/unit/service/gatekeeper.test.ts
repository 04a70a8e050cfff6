// What stands between programs and the tunnel: what local programs are told, what the Internet is not told, what waits for an owner.
import { beforeEach, expect, it } from 'vitest';
import { MemoryDatapath } from '../../../engine/datapath/memory.ts';
import type { FlowKey } from '../../../engine/datapath/types.ts';
import type { Owner } from '../../../engine/gate/index.ts';
import type { Owners } from '../../../engine/host/types.ts';
import { Gatekeeper } from '../../../engine/service/gatekeeper.ts';
import {
  buildEcho,
  buildIcmp6Error,
  buildIp6Packet,
  parseIcmp6,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';
import { ALLOW_CURL, CURL, fragment, OWN, owner, PEER, PYTHON, SETTINGS } from '../gate/harness.ts';

let delivered: Uint8Array[];
let sent: Uint8Array[];
let now: number;
beforeEach(() => {
  delivered = [];
  sent = [];
  now = 1_000;
});

/** Answers with this owner when it is told to. */
class SlowOwners {
  found: Owner | null = null;
  readonly verdicts: string[] = [];
  private apply: () => void = () => undefined;
  private readonly pending: (() => void)[] = [];
  readonly owners = {
    mode: 'programs',
    why: null,
    setVerdict: (cookie, verdict) => {
      this.verdicts.push(`${cookie} ${verdict.out}`);
      return new Promise((resolve) => (this.apply = resolve));
    },
    resolve: () =>
      new Promise((resolve) =>
        this.pending.push(() => resolve({ cookie: this.found && 1n, owner: this.found })),
      ),
    startsSeen: true,
    decidesFor: null,
    releaseFlow: () => undefined,
    releaseSocket: () => undefined,
    watch: () => undefined,
    listeners: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  } satisfies Owners;

  async answer(found: Owner | null): Promise<void> {
    this.found = found;
    for (const answer of this.pending.splice(0)) answer();
    await settled();
  }

  /** The kernel has the verdict. */
  async applied(): Promise<void> {
    this.apply();
    await settled();
  }
}

/** Whatever was waiting for a promise has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function keeper(
  exposeAll: boolean,
  owners: Owners | null = null,
  told: (verdict: string) => void = () => undefined,
): Gatekeeper {
  class Told extends MemoryDatapath {
    override setFlow(...[flow, verdict]: Parameters<MemoryDatapath['setFlow']>): void {
      told(verdict);
      super.setFlow(flow, verdict);
    }
    override removeFlow(flow: FlowKey): void {
      told('removed');
      super.removeFlow(flow);
    }
  }
  const datapath = new Told({
    now: () => now,
    validMs: 30_000,
    transmit: () => undefined,
    upcall: () => undefined,
    deliver: (packet) => delivered.push(packet),
  });
  const made = new Gatekeeper({ ...SETTINGS, exposeAll }, [ALLOW_CURL], false, {
    now: () => now,
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    send: (packet) => sent.push(packet),
    deliver: (packet) => datapath.deliver(packet),
    passed: () => 0,
    act: (action) => {
      if (action.kind === 'discover') made.input({ kind: 'domain', domain: null });
    },
  });
  made.attach(datapath, owners);
  made.setAddresses([OWN]);
  made.input({ kind: 'network', network: { id: 'home', nativeIpv6: false } });
  return made;
}

let port = 5_000;
/** A UDP packet of a flow of its own, unless `from` says which. */
const udp = (source: Ip6, destination: Ip6, from = port++): Uint8Array => {
  const payload = new Uint8Array(20);
  new DataView(payload.buffer).setUint16(0, from);
  return buildIp6Packet({ nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination }, payload);
};

it('tells a program that it is prohibited (RFC 4443 §3.1), and the Internet nothing', () => {
  const closed = keeper(false);
  const packet = udp(OWN, PEER);
  closed.outward(packet);
  const error = parseIcmp6(delivered[0]!);
  if (!error.ok) throw new Error(error.reason);
  expect(error.value).toMatchObject({ type: 1, code: 1, header: { destination: OWN } });
  // Four unused bytes, then as much of the packet as fits: all of it.
  expect(error.value.body.subarray(4)).toEqual(packet);
  closed.inward(udp(PEER, OWN));
  const echo = { identifier: 1, sequence: 1, data: new Uint8Array(8), reply: false };
  closed.inward(buildEcho({ ...echo, source: PEER, destination: OWN }));
  expect(delivered).toHaveLength(1);
  expect(sent).toEqual([]);
  expect(closed.discards.snapshot()).toEqual({ notAllowedOut: 1, notAllowedIn: 2 });
  closed.close();
});

it('answers no error with an error (RFC 4443 §2.4 e), and nobody but our own address', () => {
  const closed = keeper(false);
  const unreachable = buildIcmp6Error({
    type: 1,
    code: 4,
    parameter: 0,
    source: OWN,
    destination: PEER,
    quoted: udp(PEER, OWN),
  });
  closed.outward(unreachable);
  closed.outward(udp(parseIp6('2001:db8::1')!, PEER));
  expect(delivered).toEqual([]);
  expect(closed.discards.snapshot()).toEqual({ screenQuote: 1, adapterSource: 1 });
  closed.close();
});

it('limits the errors, not the refusals (RFC 4443 §2.4 f)', () => {
  const closed = keeper(false);
  for (let i = 0; i < 1000; i++) closed.outward(udp(OWN, PEER));
  expect(delivered.length).toBeGreaterThan(0);
  expect(delivered.length).toBeLessThanOrEqual(100);
  expect(closed.discards.snapshot()).toEqual({ notAllowedOut: 1000 });
  closed.close();
});

it('holds the first packets of a flow until its owner is known, a few of them', async () => {
  const slow = new SlowOwners();
  const open = keeper(false, slow.owners);
  const packets = Array.from({ length: 300 }, () => udp(OWN, PEER, 4_000));
  for (const packet of packets) open.outward(packet);
  expect(sent).toEqual([]);
  expect(delivered).toEqual([]);
  await slow.answer(owner(CURL));
  expect(slow.verdicts).toEqual(['1 allow']);
  // An answer that came before the kernel has the verdict would be dropped there.
  expect(sent).toEqual([]);
  await slow.applied();
  expect(sent).toEqual(packets.slice(0, 256));
  expect(open.discards.snapshot()).toEqual({ ownerQueueFull: 44 });
  // An error that quotes the flow passes now.
  const error = buildIcmp6Error({
    type: 1,
    code: 4,
    parameter: 0,
    source: PEER,
    destination: OWN,
    quoted: packets[0]!,
  });
  open.inward(error);
  expect(delivered).toEqual([error]);
  open.close();
});

it('lets a later fragment pass neither way before the first of its packet, and with it only if that may', async () => {
  const slow = new SlowOwners();
  const gate = keeper(false, slow.owners);
  const piece = (first: boolean, id: number, way: 'in' | 'out'): Uint8Array =>
    first ? fragment(0, true, 1_200, id, way) : fragment(1_200, false, 100, id, way);
  gate.outward(piece(false, 1, 'out'));
  gate.inward(piece(false, 2, 'in'));
  expect([sent, delivered]).toEqual([[], []]);
  gate.outward(piece(true, 1, 'out'));
  await slow.answer(owner(CURL));
  await slow.applied();
  expect(sent).toEqual([piece(true, 1, 'out'), piece(false, 1, 'out')]);
  // The answer to what was sent may come in, in pieces too.
  gate.inward(piece(true, 2, 'in'));
  expect(delivered).toEqual([piece(true, 2, 'in'), piece(false, 2, 'in')]);
  gate.close();
  // What nobody may have does not come by its pieces either.
  const refusing = keeper(false, slow.owners);
  refusing.inward(piece(true, 3, 'in'));
  await slow.answer(owner(PYTHON));
  refusing.inward(piece(false, 3, 'in'));
  expect(delivered).toHaveLength(2);
  expect(refusing.discards.snapshot()).toEqual({ notAllowedIn: 2 });
  refusing.close();
});

it('sends what a program sent that closed its socket before the kernel had the verdict, unless a rule ended', async () => {
  const slow = new SlowOwners();
  const open = keeper(false, slow.owners);
  const packets = [udp(OWN, PEER), udp(OWN, PEER)];
  open.outward(packets[0]!);
  await slow.answer(owner(CURL));
  open.event({ kind: 'closed', cookie: 1n });
  await slow.applied();
  expect(sent).toEqual([packets[0]]);
  open.outward(packets[1]!);
  await slow.answer(owner(CURL));
  open.input({ kind: 'forget', id: ALLOW_CURL.id });
  await slow.applied();
  expect(sent).toEqual([packets[0]]);
  expect(open.discards.snapshot()).toEqual({ notAllowedOut: 1 });
  open.close();
});

it('refuses what waited when its owner may not, or is not found', async () => {
  const slow = new SlowOwners();
  const open = keeper(false, slow.owners);
  for (const found of [owner(PYTHON), null]) {
    open.outward(udp(OWN, PEER));
    open.inward(udp(PEER, OWN));
    await slow.answer(found);
  }
  expect(sent).toEqual([]);
  expect(delivered.map((packet) => parseIcmp6(packet))).toMatchObject([
    { value: { type: 1, code: 1 } },
    { value: { type: 1, code: 1 } },
  ]);
  open.close();
});

it('bounds what waits for all owners together', () => {
  const open = keeper(false, new SlowOwners().owners);
  const packet = new Uint8Array(1280 - 40);
  const flows = 200;
  for (let i = 0; i < flows; i++) {
    new DataView(packet.buffer).setUint16(0, i);
    const whole = buildIp6Packet(
      { nextHeader: PROTOCOL.udp, hopLimit: 64, source: OWN, destination: PEER },
      packet,
    );
    for (let n = 0; n < 64; n++) open.outward(whole);
  }
  const lost = open.discards.snapshot()['ownerQueueFull']!;
  // 4 MB in all.
  expect((flows * 64 - lost) * 1280).toBeLessThanOrEqual(4 << 20);
  expect((flows * 64 - lost) * 1280).toBeGreaterThan(3 << 20);
  open.close();
});

it('lets what comes in rest in the datapath from its second packet on', async () => {
  const slow = new SlowOwners();
  const asked: string[] = [];
  const open = keeper(false, slow.owners, (verdict) => asked.push(verdict));
  const packet = udp(PEER, OWN, 53);
  open.inward(packet);
  expect(asked).toEqual(['wait']);
  await slow.answer(owner(CURL));
  expect(delivered).toEqual([]);
  expect(asked).toEqual(['wait', 'removed']);
  open.close();
});

it('lets everything pass with --expose-all', () => {
  const all = keeper(true);
  const [out, inward] = [udp(OWN, PEER), udp(PEER, OWN)];
  all.outward(out);
  all.inward(inward);
  expect(sent).toEqual([out]);
  expect(delivered).toEqual([inward]);
  expect(all.discards.snapshot()).toEqual({});
  all.close();
});
