// NATs behave as RFC 4787 defines its terms, and a conforming one meets its requirements.
import { describe, expect, it } from 'vitest';
import { NAT_KINDS, Trace } from '../../../engine/sim/index.ts';
import type { Dependence, NatKindName } from '../../../engine/sim/index.ts';
import { NAT_IP, X1, Y1, Y2, at, ip, listen, natNetwork } from './network.ts';

const HELLO = new Uint8Array([1, 2, 3]);

/** What Y1:1000, Y1:1001 and Y2:1000 see X1:4000 come from, in this order. */
function mappedPorts(network: ReturnType<typeof natNetwork>): number[] {
  const { inside, y1, y2, run } = network;
  const heard = [listen(y1, 1000), listen(y1, 1001), listen(y2, 1000)];
  const x = listen(inside, 4000);
  for (const to of [`${Y1}:1000`, `${Y1}:1001`, `${Y2}:1000`]) x.socket.send(at(to), HELLO);
  run();
  return heard.map((each) => each.heard[0]!.from.port);
}

describe('mapping (RFC 4787 §4.1)', () => {
  it.each<[Dependence, boolean, boolean]>([
    // kind, reused for another port of Y1, reused for Y2
    ['endpointIndependent', true, true],
    ['addressDependent', true, false],
    ['addressAndPortDependent', false, false],
  ])('%s', (mapping, reusedForPort, reusedForAddress) => {
    const [first, otherPort, otherAddress] = mappedPorts(
      natNetwork({ mapping, assignment: 'sequential' }),
    );
    expect(otherPort === first).toBe(reusedForPort);
    expect(otherAddress === first).toBe(reusedForAddress);
  });
});

describe('filtering (RFC 4787 §5)', () => {
  it.each<[Dependence, boolean, boolean]>([
    // kind, lets another port of Y1 in, lets Y2 in
    ['endpointIndependent', true, true],
    ['addressDependent', true, false],
    ['addressAndPortDependent', false, false],
  ])('%s', (filtering, letsPort, letsAddress) => {
    const { simulation, inside, y1, y2, run } = natNetwork({ filtering });
    const trace = new Trace(simulation);
    const x = listen(inside, 4000);
    const known = listen(y1, 1000);
    const otherPort = listen(y1, 1001);
    const otherAddress = listen(y2, 1000);
    const mapped = at(`${NAT_IP}:4000`);
    known.socket.send(mapped, HELLO);
    run();
    expect(x.heard).toEqual([]);
    expect(trace.events.at(-1)).toMatchObject({ kind: 'drop', reason: 'natNoMapping' });
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    for (const each of [known, otherPort, otherAddress]) each.socket.send(mapped, HELLO);
    run();
    expect(x.heard.map((heard) => heard.from)).toEqual([
      at(`${Y1}:1000`),
      ...(letsPort ? [at(`${Y1}:1001`)] : []),
      ...(letsAddress ? [at(`${Y2}:1000`)] : []),
    ]);
    const filtered = trace.events.filter((e) => e.kind === 'drop' && e.reason === 'natFiltered');
    expect(filtered).toHaveLength((letsPort ? 0 : 1) + (letsAddress ? 0 : 1));
  });
});

describe('port assignment (RFC 4787 §4.2)', () => {
  it('preserves the port, and takes the next free one on a collision', () => {
    const { inside, inside2, y1, run } = natNetwork({ assignment: 'preserved' });
    const y = listen(y1, 1000);
    listen(inside, 4000).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    listen(inside2, 4000).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard.map((heard) => heard.from.port)).toEqual([4000, 4001]);
  });

  it('assigns in sequence', () => {
    const ports = mappedPorts(
      natNetwork({ mapping: 'addressAndPortDependent', assignment: 'sequential' }),
    );
    const steps = ports.slice(1).map((port, i) => port - ports[i]!);
    expect(steps).toEqual([1, 1]);
  });

  it('assigns at random: not in sequence, by the seed alone', () => {
    const draw = (seed: number) =>
      mappedPorts(
        natNetwork({ mapping: 'addressAndPortDependent', assignment: 'random' }, [NAT_IP], seed),
      );
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    for (const port of draw(3)) expect(port).toBeGreaterThan(1023);
  });

  it('keeps well-known ports among themselves (REQ-3a)', () => {
    const { inside, y1, run } = natNetwork({ assignment: 'random' });
    const y = listen(y1, 1000);
    listen(inside, 500).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard[0]!.from.port).toBeLessThan(1024);
  });

  it('gives no external port to two mappings (REQ-3), unless it overloads', () => {
    for (const overloading of [false, true]) {
      const { inside, inside2, y1, y2, run } = natNetwork({
        mapping: 'addressAndPortDependent',
        overloading,
      });
      const a = listen(inside, 4000);
      const b = listen(inside2, 4000);
      const seenBy1 = listen(y1, 1000);
      const seenBy2 = listen(y2, 1000);
      a.socket.send(at(`${Y1}:1000`), HELLO);
      b.socket.send(at(`${Y2}:1000`), HELLO);
      run();
      const ports = [seenBy1.heard[0]!.from.port, seenBy2.heard[0]!.from.port];
      expect(ports).toEqual(overloading ? [4000, 4000] : [4000, 4001]);
      seenBy1.socket.send(seenBy1.heard[0]!.from, HELLO);
      seenBy2.socket.send(seenBy2.heard[0]!.from, HELLO);
      run();
      expect(a.heard.map((h) => h.from)).toEqual([at(`${Y1}:1000`)]);
      expect(b.heard.map((h) => h.from)).toEqual([at(`${Y2}:1000`)]);
    }
  });

  it('tells the users of a shared port apart even where the filter lets anybody in', () => {
    const { inside, inside2, y1, y2, run } = natNetwork({
      mapping: 'addressAndPortDependent',
      filtering: 'endpointIndependent',
      overloading: true,
    });
    const a = listen(inside, 4000);
    const b = listen(inside2, 4000);
    const y = [listen(y1, 1000), listen(y2, 1000)];
    a.socket.send(at(`${Y1}:1000`), HELLO);
    b.socket.send(at(`${Y2}:1000`), HELLO);
    run();
    for (const each of y) each.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(a.heard.map((h) => h.from)).toEqual([at(`${Y1}:1000`)]);
    expect(b.heard.map((h) => h.from)).toEqual([at(`${Y2}:1000`)]);
  });

  it('refuses a mapping when the table is full, and has room again after the time-out', () => {
    const { simulation, inside, y1, run } = natNetwork({ maxMappings: 2 });
    const trace = new Trace(simulation);
    const y = listen(y1, 1000);
    for (const port of [1, 2, 3]) listen(inside, 4000 + port).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard).toHaveLength(2);
    expect(trace.events.some((e) => e.kind === 'drop' && e.reason === 'natFull')).toBe(true);
    run(NAT_KINDS.portRestricted.timeoutMs);
    listen(inside, 5000).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(y.heard).toHaveLength(3);
  });
});

describe('address pooling (REQ-2)', () => {
  const pool = [NAT_IP, '198.51.100.2', '198.51.100.3'];

  it('paired: one external address for each internal one', () => {
    const { inside, inside2, y1, run } = natNetwork({}, pool);
    const y = listen(y1, 1000);
    for (let port = 4000; port < 4008; port++) {
      listen(inside, port).socket.send(at(`${Y1}:1000`), HELLO);
      listen(inside2, port).socket.send(at(`${Y1}:1000`), HELLO);
    }
    run();
    const addresses = y.heard.map((heard) => heard.from.ip);
    expect(new Set(addresses)).toEqual(new Set([ip(NAT_IP), ip('198.51.100.2')]));
    expect(new Set(addresses.filter((_, i) => i % 2 === 0)).size).toBe(1);
  });

  it('arbitrary: several for one internal address', () => {
    const { inside, y1, run } = natNetwork({ pooling: 'arbitrary' }, pool);
    const y = listen(y1, 1000);
    for (let port = 4000; port < 4016; port++)
      listen(inside, port).socket.send(at(`${Y1}:1000`), HELLO);
    run();
    expect(new Set(y.heard.map((heard) => heard.from.ip)).size).toBeGreaterThan(1);
  });
});

describe('refresh (RFC 4787 §4.3)', () => {
  const timeoutMs = 120_000;

  it('the timer is two minutes at least in every named kind (REQ-5)', () => {
    for (const kind of Object.values(NAT_KINDS))
      expect(kind.timeoutMs).toBeGreaterThanOrEqual(120_000);
  });

  it('a mapping ends timeoutMs after the last packet from inside', () => {
    const { inside, y1, run } = natNetwork({ timeoutMs });
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run(timeoutMs - 50);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run(100);
    expect(x.heard).toHaveLength(1);
    run(50);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(x.heard).toHaveLength(1);
  });

  it.each([true, false])('outbound refreshes (REQ-6), inbound if it does: %s', (refreshInbound) => {
    const { inside, y1, run } = natNetwork({ timeoutMs, refreshInbound });
    const x = listen(inside, 4000);
    const y = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run(timeoutMs * 0.9);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run(timeoutMs * 0.9);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run(timeoutMs * 0.9);
    expect(x.heard).toHaveLength(1);
    y.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(x.heard).toHaveLength(refreshInbound ? 2 : 1);
  });
});

describe('the filter (RFC 4787 §5)', () => {
  it('forgets a remote endpoint that was not sent to for timeoutMs, while others keep the mapping', () => {
    const { inside, y1, y2, run } = natNetwork({ timeoutMs: 120_000 });
    const x = listen(inside, 4000);
    const forgotten = listen(y1, 1000);
    const kept = listen(y2, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    for (let i = 0; i < 3; i++) {
      x.socket.send(at(`${Y2}:1000`), HELLO);
      run(60_000);
    }
    for (const each of [forgotten, kept]) each.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(x.heard.map((heard) => heard.from)).toEqual([at(`${Y2}:1000`)]);
  });
});

describe('hairpinning (RFC 4787 §6)', () => {
  it.each([
    ['external', `${NAT_IP}:4000`],
    ['internal', `${X1}:4000`],
    ['none', null],
  ] as const)('%s source endpoint', (hairpin, seen) => {
    const { inside, inside2, run } = natNetwork({
      hairpin,
      filtering: 'endpointIndependent',
    });
    const a = listen(inside, 4000);
    const b = listen(inside2, 5000);
    b.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    a.socket.send(at(`${NAT_IP}:5000`), HELLO);
    run();
    expect(b.heard.map((heard) => heard.from)).toEqual(seen ? [at(seen)] : []);
  });

  it('filters the hairpinned packet like any other', () => {
    const { inside, inside2, run } = natNetwork({ filtering: 'addressAndPortDependent' });
    const a = listen(inside, 4000);
    const b = listen(inside2, 5000);
    b.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    a.socket.send(at(`${NAT_IP}:5000`), HELLO);
    run();
    expect(b.heard).toEqual([]);
    b.socket.send(at(`${NAT_IP}:4000`), HELLO);
    run();
    expect(a.heard.map((heard) => heard.from)).toEqual([at(`${NAT_IP}:5000`)]);
  });
});

describe('the named kinds', () => {
  it.each<[NatKindName, boolean, 'anybody' | 'address' | 'port']>([
    ['cone', true, 'anybody'],
    ['restricted', true, 'address'],
    ['portRestricted', true, 'port'],
    ['symmetric', false, 'port'],
    ['symmetricSequential', false, 'port'],
    ['symmetricPreserving', false, 'port'],
    ['symmetricByAddress', false, 'port'],
    ['linux', true, 'port'],
    ['open', true, 'port'],
    ['carrier', true, 'anybody'],
  ])('%s: one port for all %s, lets in %s', (name, isOnePort, letsIn) => {
    const kind = NAT_KINDS[name];
    const [first, , other] = mappedPorts(natNetwork(kind));
    expect(first === other).toBe(isOnePort);
    const { inside, y1, y2, run } = natNetwork(kind);
    const x = listen(inside, 4000);
    const known = listen(y1, 1000);
    x.socket.send(at(`${Y1}:1000`), HELLO);
    run();
    const { from } = known.heard[0]!;
    for (const each of [listen(y1, 1001), listen(y2, 1000)]) each.socket.send(from, HELLO);
    run();
    expect(x.heard).toHaveLength({ anybody: 2, address: 1, port: 0 }[letsIn]);
  });
});
