// Tests that faults of Miredo in what it believes are not ours: old answers, inner addresses, prefixes.
import { expect, test } from 'vitest';
import { isTeredo, parseEcho } from '../../../engine/wire/index.ts';
import {
  at,
  Bench,
  bubble,
  connected,
  data,
  echoReply,
  ip6,
  NATIVE,
  open,
  PEER,
  PEER_ENDPOINT,
  PRIMARY,
  refusal,
  RELAY,
  STRANGER,
  udp,
} from './harness.ts';

test('Miredo fault 19: a connectivity test has 128 bits, and its answer is worth nothing once it is over', () => {
  const bench = Bench.qualified();
  bench.fromProgram(udp(bench.address, NATIVE));
  const [old] = bench.takeSent();
  const echo = parseEcho(open(old!).packet);
  expect(echo.ok && echo.value.data.length * 8).toBe(128);
  // Nobody answers; the way is given up and asked for anew, and only then does the old answer come.
  bench.pass(60_000);
  bench.fromProgram(udp(bench.address, NATIVE));
  expect(bench.takeSent().some((sent) => sent.why === 'ping-test')).toBe(true);
  bench.receive(STRANGER, echoReply(old!));
  expect(bench.client.peers(bench.now).filter((row) => row.trusted)).toEqual([]);
  expect([...bench.peerTable]).toEqual([]);
});

test('Miredo fault 22: what a trusted peer sends to any address but ours goes nowhere', () => {
  const bench = connected();
  for (const other of [NATIVE, PEER, bench.address ^ 1n, ip6('ff02::1'), ip6('fe80::1'), 1n])
    expect(refusal(bench, () => bench.receive(PEER_ENDPOINT, data(udp(PEER, other))))).not.toBe(
      'none',
    );
  expect(bench.delivered).toEqual([]);
  bench.receive(PEER_ENDPOINT, data(udp(PEER, bench.address)));
  expect(bench.delivered).toHaveLength(1);
});

test('Miredo fault 23: a link-local source inside is nobody, wherever it comes from; through our server it may ask', () => {
  for (const source of ['fe80::1', 'fe80::ffff:ffff:fffe', 'fe80::80fe:1', 'febf:ffff::1']) {
    const bench = connected();
    for (const from of [PEER_ENDPOINT, RELAY, STRANGER])
      expect(refusal(bench, () => bench.receive(from, data(udp(ip6(source), bench.address))))).toBe(
        'addressNotUnicast',
      );
    expect(bench.delivered).toEqual([]);
    const known = bench.client.peers(bench.now).length;
    bench.receive(PRIMARY, bubble(ip6('fe80::1234'), bench.address, at('203.0.113.50:3545')));
    expect(bench.takeSent().map((sent) => sent.why)).toEqual(['bubble-reply']);
    expect(bench.client.peers(bench.now)).toHaveLength(known);
  }
});

test('Miredo fault 25: a Teredo address is one by all 32 bits of its prefix', () => {
  const address = ip6('2001:0:c000:201::1');
  expect(isTeredo(address)).toBe(true);
  for (let bit = 96n; bit < 128n; bit++) expect(isTeredo(address ^ (1n << bit))).toBe(false);
  for (let bit = 0n; bit < 96n; bit++) expect(isTeredo(address ^ (1n << bit))).toBe(true);
});
