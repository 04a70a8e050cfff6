// Module test/unit/gate/screen.test checks to which flow a packet belongs: errors by what they quote, fragments by their first.
import { describe, expect, test } from 'vitest';
import { Screen } from '../../../engine/gate/index.ts';
import {
  buildEcho,
  buildIcmp6,
  buildIcmp6Error,
  buildIp6Packet,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import { fragment, OWN, packet, PEER, ports, tcp } from './harness.ts';

const UDP_FLOW = {
  protocol: PROTOCOL.udp,
  local: OWN,
  localPort: 5000,
  remote: PEER,
  remotePort: 53,
};

describe('packets', () => {
  test('are named from our side, whichever way they go', () => {
    const screen = new Screen();
    const seen = [
      screen.look(packet(PROTOCOL.tcp, ports(1, 443, 20)), 'out', 0),
      screen.look(packet(PROTOCOL.tcp, ports(443, 1, 20), 'in'), 'in', 0),
    ];
    expect(seen).toMatchObject([
      { kind: 'flow', flow: tcp(1), begins: true },
      { kind: 'flow', flow: tcp(1), begins: true },
    ]);
  });

  test('an echo reply begins nothing', () => {
    const echo = { identifier: 7, sequence: 1, data: new Uint8Array(8) };
    const request = buildEcho({ ...echo, reply: false, source: OWN, destination: PEER });
    const reply = buildEcho({ ...echo, reply: true, source: PEER, destination: OWN });
    const flow = { ...tcp(7, 0), protocol: PROTOCOL.icmp6 };
    expect(new Screen().look(request, 'out', 0)).toMatchObject({ flow, begins: true });
    expect(new Screen().look(reply, 'in', 0)).toMatchObject({ flow, begins: false });
  });

  test('what the kernel makes by itself, other protocols and junk are dropped by name', () => {
    const solicitation = buildIcmp6(
      { type: 135, code: 0, source: OWN, destination: PEER, hopLimit: 255 },
      new Uint8Array(20),
    );
    const report = buildIp6Packet(
      {
        nextHeader: PROTOCOL.hopByHop,
        hopLimit: 1,
        source: OWN,
        destination: parseIp6('ff02::16')!,
      },
      new Uint8Array(36),
    );
    const seen = [
      solicitation,
      report,
      packet(132, new Uint8Array(20)),
      packet(PROTOCOL.tcp, new Uint8Array(2)),
      packet(PROTOCOL.routing, Uint8Array.of(6, 0, 0, 1, 0, 0, 0, 0)),
    ].map((bytes) => new Screen().look(bytes, 'out', 0));
    expect(seen.map((one) => one.kind === 'drop' && one.reason)).toEqual([
      'screenKernelMade',
      'screenMulticast',
      'screenProtocol',
      'screenProtocol',
      'screenMalformed',
    ]);
  });
});

describe('ICMPv6 errors', () => {
  const sent = packet(PROTOCOL.udp, ports(5000, 53, 1200));
  const error = (quoted: Uint8Array, destination = OWN): Uint8Array =>
    buildIcmp6Error({
      type: 1,
      code: 4,
      parameter: 0,
      source: parseIp6('2001:db8::1')!,
      destination,
      quoted,
    });

  test('belong to the flow whose packet they quote, even cut short', () => {
    expect(new Screen().look(error(sent), 'in', 0)).toEqual({ kind: 'error', flow: UDP_FLOW });
  });

  test('of our own kernel quote what came in', () => {
    const came = packet(PROTOCOL.udp, ports(53, 5000, 100), 'in');
    const ours = buildIcmp6Error({
      type: 1,
      code: 4,
      parameter: 0,
      source: OWN,
      destination: PEER,
      quoted: came,
    });
    expect(new Screen().look(ours, 'out', 0)).toEqual({ kind: 'error', flow: UDP_FLOW });
  });

  test('that quote nothing of ours, or too little, are dropped', () => {
    const foreign = buildIp6Packet(
      {
        nextHeader: PROTOCOL.udp,
        hopLimit: 1,
        source: parseIp6('2001:db8::9')!,
        destination: PEER,
      },
      ports(5000, 53, 20),
    );
    for (const quoted of [foreign, sent.subarray(0, 41), new Uint8Array(0)])
      expect(new Screen().look(error(quoted), 'in', 0)).toEqual({
        kind: 'drop',
        reason: 'screenQuote',
      });
  });
});

describe('fragments', () => {
  test('follow the first, whose flow they share', () => {
    const screen = new Screen();
    const seen = [fragment(0, true, 1200, 1, 'out'), fragment(1200, false, 100, 1, 'out')].map(
      (bytes) => screen.look(bytes, 'out', 0),
    );
    expect(seen).toMatchObject([
      { kind: 'flow', flow: UDP_FLOW },
      { kind: 'flow', flow: UDP_FLOW },
    ]);
  });

  test('that come before the first wait for it', () => {
    const screen = new Screen();
    const late = fragment(1200, false, 100);
    expect(screen.look(late, 'in', 0)).toEqual({ kind: 'held' });
    const first = fragment(0, true, 1200);
    expect(screen.look(first, 'in', 10)).toMatchObject({ flow: UDP_FLOW, packets: [first, late] });
  });

  test('that overlap spoil their packet (RFC 5722)', () => {
    const screen = new Screen();
    screen.look(fragment(0, true, 1200), 'in', 0);
    const overlap = { kind: 'drop', reason: 'fragmentOverlap' };
    expect(screen.look(fragment(1192, false, 100), 'in', 0)).toEqual(overlap);
    expect(screen.look(fragment(1200, false, 100), 'in', 0)).toEqual(overlap);
    // Another packet is another matter.
    expect(screen.look(fragment(0, true, 1200, 2), 'in', 0)).toMatchObject({ kind: 'flow' });
  });

  test('held before the first are dropped when it shows that they overlap', () => {
    const screen = new Screen();
    screen.look(fragment(1192, false, 100), 'in', 0);
    expect(screen.look(fragment(0, true, 1200), 'in', 0)).toMatchObject({ kind: 'drop' });
  });

  test('past the end of their packet are refused', () => {
    const screen = new Screen();
    screen.look(fragment(1200, false, 100), 'in', 0);
    expect(screen.look(fragment(1600, false, 100), 'in', 0)).toMatchObject({ kind: 'drop' });
  });

  test('are held within bounds, and not for ever', () => {
    const screen = new Screen();
    let held = 0;
    for (let id = 0; id < 2_000; id++)
      if (screen.look(fragment(1200, false, 1200, id), 'in', 0).kind === 'held') held += 1;
    // 256 packets at once are known: of others the oldest were forgotten.
    expect(screen.look(fragment(0, true, 1200, 0), 'in', 0)).toMatchObject({
      packets: { length: 1 },
    });
    expect(held).toBeGreaterThan(200);
    const first = screen.look(fragment(0, true, 1200, 1_999), 'in', 60_000);
    expect(first).toMatchObject({ packets: { length: 1 } });
  });

  test('a first one without its whole header chain is refused (RFC 7112)', () => {
    expect(new Screen().look(fragment(0, true, 4), 'in', 0)).toMatchObject({ kind: 'drop' });
  });
});
