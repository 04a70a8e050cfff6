// Native IPv6: routes of 2001::/32 to relays, echo hosts, and the routers' ICMPv6 errors.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Internet6,
  ROUTER6,
  Simulation,
  Trace,
  answerFrom,
  attachEchoHost,
} from '../../../engine/sim/index.ts';
import {
  PROTOCOL,
  buildBubble,
  buildEcho,
  buildIp6Packet,
  parseEcho,
  parseIcmp6,
  parseIp6,
  parseIp6Header,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';

const A = parseIp6('2001:db8:a::1')!;
const B = parseIp6('2001:db8:b::1')!;
const CLIENT = parseIp6('2001:0:c000:201:1234:63bf:3fff:fdd2')!;
const DATA = new Uint8Array([5, 6, 7]);

const ping = (source: Ip6, destination: Ip6, hopLimit = 64) =>
  buildEcho({
    reply: false,
    source,
    destination,
    identifier: 9,
    sequence: 1,
    data: DATA,
    hopLimit,
  });

function world() {
  const simulation = new Simulation(1);
  const internet = new Internet6(simulation);
  const heard: Uint8Array[] = [];
  const a = internet.attach('a', [A]);
  a.onPacket = (packet) => void heard.push(packet);
  const run = () => simulation.runUntil(simulation.now + 100);
  return { simulation, internet, a, heard, run, trace: new Trace(simulation) };
}

describe('echo hosts', () => {
  it('answer a ping with its data, and the hop limit counts down by one router', () => {
    const { internet, a, heard, run } = world();
    attachEchoHost(internet, 'b', B);
    a.send(ping(A, B));
    run();
    expect(heard).toHaveLength(1);
    const echo = parseEcho(heard[0]!);
    expect(echo).toMatchObject({
      ok: true,
      value: { reply: true, identifier: 9, sequence: 1, data: DATA, source: B, destination: A },
    });
    const header = parseIp6Header(heard[0]!);
    const sent = parseIp6Header(answerFrom(B, ping(A, B))!);
    expect(header.ok && sent.ok && sent.value.hopLimit - header.value.hopLimit).toBe(1);
  });

  it('answer UDP with port unreachable, and no reply, no error, nobody else’s packet', () => {
    const udp = buildIp6Packet(
      { source: A, destination: B, nextHeader: PROTOCOL.udp, hopLimit: 64 },
      new Uint8Array(12),
    );
    const error = answerFrom(B, udp)!;
    expect(parseIcmp6(error)).toMatchObject({ ok: true, value: { type: 1, code: 4 } });
    expect(answerFrom(A, error)).toBeUndefined();
    expect(answerFrom(A, answerFrom(B, ping(A, B))!)).toBeUndefined();
    expect(answerFrom(A, ping(A, B))).toBeUndefined();
    expect(answerFrom(B, buildBubble(A, B))).toBeUndefined();
  });
});

describe('routes', () => {
  it('lead to the longest prefix, then to the lowest metric, then to nobody', () => {
    const { internet, a, heard, run } = world();
    const seen: string[] = [];
    const relay = (name: string) => {
      const node = internet.attach(name, []);
      node.onPacket = () => void seen.push(name);
      return node;
    };
    const teredo = teredoPrefix(0);
    const withdraw = [
      internet.route(teredo, 32, relay('near'), 1),
      internet.route(teredo, 32, relay('far'), 5),
      internet.route(0n, 0, relay('default')),
    ];
    for (const each of [...withdraw, () => undefined]) {
      a.send(ping(A, CLIENT));
      run();
      each();
    }
    withdraw[0]!();
    expect(seen).toEqual(['near', 'far', 'default']);
    expect(parseIcmp6(heard[0]!)).toMatchObject({
      ok: true,
      value: { type: 1, code: 0, header: { source: ROUTER6, destination: A } },
    });
  });

  it('let a relay send for its clients', () => {
    const { internet, heard, run } = world();
    const relay = internet.attach('relay', []);
    internet.route(teredoPrefix(0), 32, relay);
    const back: Uint8Array[] = [];
    relay.onPacket = (packet) => void back.push(packet);
    attachEchoHost(internet, 'b', B);
    relay.send(ping(CLIENT, B));
    run();
    expect(parseEcho(back[0]!)).toMatchObject({ ok: true, value: { destination: CLIENT } });
    expect(heard).toEqual([]);
  });

  it('stay silent when told so', () => {
    const { internet, a, heard, run, trace } = world();
    internet.answersUnreachable = false;
    a.send(ping(A, B));
    run();
    expect(heard).toEqual([]);
    expect(trace.events.at(-1)).toMatchObject({ kind: 'drop', reason: 'noRoute' });
  });

  it('do not lead anywhere for link-local and multicast addresses (RFC 4291 §2.5.6, §2.7)', () => {
    const { a, run, trace } = world();
    for (const to of ['fe80::1', 'ff02::2', 'ff0e::1']) a.send(ping(A, parseIp6(to)!));
    a.send(ping(parseIp6('fe80::5')!, A));
    run();
    const drops = trace.events.filter((e) => e.kind === 'drop');
    expect(drops).toHaveLength(4);
    expect(drops.every((e) => e.reason === 'noRoute')).toBe(true);
  });

  it('answer no ICMPv6 error with another (RFC 4443 §2.4 e)', () => {
    const { a, heard, run, trace } = world();
    const udp = buildIp6Packet(
      { source: B, destination: A, nextHeader: PROTOCOL.udp, hopLimit: 64 },
      new Uint8Array(12),
    );
    a.send(answerFrom(A, udp)!);
    run();
    expect(heard).toEqual([]);
    expect(trace.events.filter((e) => e.kind === 'send')).toHaveLength(1);
  });

  it('end at hop limit 1 with time exceeded (RFC 4443 §3.3)', () => {
    const { internet, a, heard, run } = world();
    attachEchoHost(internet, 'b', B);
    a.send(ping(A, B, 1));
    run();
    expect(parseIcmp6(heard[0]!)).toMatchObject({ ok: true, value: { type: 3, code: 0 } });
  });
});

it('bytes that are no packet are dropped where they are sent, and nothing throws', () => {
  const { internet, a, run, trace } = world();
  attachEchoHost(internet, 'b', B);
  const mutated = fc
    .tuple(fc.array(fc.tuple(fc.nat(50), fc.nat(255)), { maxLength: 4 }), fc.nat(51))
    .map(([changes, length]) => {
      const bytes = ping(A, B);
      for (const [index, value] of changes) bytes[index] = value;
      return bytes.slice(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), mutated), (bytes) => {
      const before = trace.events.length;
      a.send(bytes);
      run();
      const events = trace.events.slice(before);
      const begun = events.filter((e) => e.kind === 'send').length;
      const ended = events.filter((e) => e.kind === 'receive' || e.kind === 'drop').length;
      expect(begun).toBeGreaterThan(0);
      expect(ended).toBe(begun);
    }),
    { numRuns: 500 },
  );
});
