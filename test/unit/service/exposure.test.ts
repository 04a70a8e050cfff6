// The closed tunnel: what local programs are told, what the Internet is not told, and what --expose-all changes.
import { expect, it } from 'vitest';
import { Exposure } from '../../../engine/service/exposure.ts';
import {
  buildIcmp6Error,
  buildIp6Packet,
  parseIcmp6,
  parseIp6,
  PROTOCOL,
} from '../../../engine/wire/index.ts';
import type { Ip6 } from '../../../engine/wire/index.ts';

const ip6 = (text: string): Ip6 => parseIp6(text)!;
const OWN = ip6('2001:0:c000:201:1234:63bf:3a9b:9bf8');
const REMOTE = ip6('2001:db8::80');

const udp = (source: Ip6, destination: Ip6): Uint8Array =>
  buildIp6Packet(
    { nextHeader: PROTOCOL.udp, hopLimit: 64, source, destination },
    new Uint8Array(20),
  );

it('is closed: a program learns that it is prohibited (RFC 4443 §3.1), the Internet learns nothing', () => {
  const closed = new Exposure('closed');
  const packet = udp(OWN, REMOTE);
  const error = parseIcmp6(closed.refuse(packet, OWN, 0)!);
  if (!error.ok) throw new Error(error.reason);
  expect(error.value).toMatchObject({ type: 1, code: 1, header: { destination: OWN } });
  // Four unused bytes, then as much of the packet as fits: all of it.
  expect(error.value.body.subarray(4)).toEqual(packet);
  expect(closed.admits()).toBe(false);
  expect(closed.discards.snapshot()).toEqual({ notAllowedOut: 1, notAllowedIn: 1 });
});

it('answers no error with an error (RFC 4443 §2.4 e), and nobody but our own address', () => {
  const closed = new Exposure('closed');
  const unreachable = buildIcmp6Error({
    type: 1,
    code: 4,
    parameter: 0,
    source: OWN,
    destination: REMOTE,
    quoted: udp(REMOTE, OWN),
  });
  for (const [packet, own] of [
    [unreachable, OWN],
    [udp(ip6('2001:db8::1'), REMOTE), OWN],
    [udp(OWN, REMOTE), null],
  ] as const)
    expect(closed.refuse(packet, own, 0)).toHaveLength(0);
  expect(closed.discards.snapshot()).toEqual({ notAllowedOut: 3 });
});

it('limits the errors, not the refusals (RFC 4443 §2.4 f)', () => {
  const closed = new Exposure('closed');
  const answers = Array.from({ length: 1000 }, () => closed.refuse(udp(OWN, REMOTE), OWN, 0)!);
  const told = answers.filter((answer) => answer.length > 0).length;
  expect(told).toBeGreaterThan(0);
  expect(told).toBeLessThanOrEqual(100);
  expect(closed.discards.snapshot()).toEqual({ notAllowedOut: 1000 });
  expect(closed.refuse(udp(OWN, REMOTE), OWN, 1000)!.length).toBeGreaterThan(0);
});

it('leaves multicast and what is no packet to the protocol, which counts them by name', () => {
  const closed = new Exposure('closed');
  for (const packet of [udp(OWN, ip6('ff02::16')), new Uint8Array(0), new Uint8Array(39)])
    expect(closed.refuse(packet, OWN, 0)).toBeNull();
  expect(closed.discards.snapshot()).toEqual({});
});

it('lets everything pass with --expose-all, and says what that means', () => {
  const all = new Exposure('all');
  expect(all.refuse(udp(OWN, REMOTE), OWN, 0)).toBeNull();
  expect(all.admits()).toBe(true);
  expect(all.discards.snapshot()).toEqual({});
  expect(all.text).toMatch(/EVERY application .*whole Internet \(--expose-all\)/);
});
