// Module test/unit/wire/miredo.test reads what Miredo's client and server really sent, and builds the same bytes.
import { expect, test } from 'vitest';
import {
  buildBubble,
  buildDatagram,
  buildEcho,
  buildSolicitation,
  decodeTeredo,
  formatEndpoint,
  formatIp6,
  isBubble,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseIp6,
  parseSolicitation,
} from '../../../engine/wire/index.ts';
import { hex, toHex } from './bytes.ts';
import captures from './miredo.json' with { type: 'json' };

const NONCE = 'f6fd76334604cce7';
const A = parseIp6('2001:0:c000:201:2c72:63bf:39cc:9bf8')!;
const B = parseIp6('2001:0:c000:201:249d:63bf:34ff:8ef6')!;

function read(name: keyof typeof captures) {
  const bytes = hex(captures[name].hex);
  const result = parseDatagram(bytes);
  if (!result.ok) throw new Error(`${name}: ${result.reason}`);
  expect(result.value.trailers).toEqual([]);
  return { bytes, ...result.value };
}

test('the solicitation has a nonce, no key, and the source of a restricted client', () => {
  const { bytes, authentication, origin, packet } = read('solicitation');
  expect(toHex(authentication!.nonce)).toBe(NONCE);
  expect(authentication!.clientId).toHaveLength(0);
  expect(authentication!.value).toHaveLength(0);
  expect(authentication!.confirmation).toBe(0);
  expect(origin).toBeNull();
  const solicitation = parseSolicitation(packet);
  const source = parseIp6('fe80::ffff:ffff:ffff')!;
  expect(solicitation).toEqual({ ok: true, value: { source } });
  const built = buildDatagram({
    authentication: authentication!,
    packet: buildSolicitation(source),
  });
  expect(toHex(built)).toBe(toHex(bytes));
});

test('the advertisement repeats the nonce, tells the origin, and carries one prefix and an MTU', () => {
  const { bytes, authentication, origin, packet } = read('advertisement');
  expect(toHex(authentication!.nonce)).toBe(NONCE);
  expect(formatEndpoint(origin!)).toBe('198.51.100.7:40000');
  const advertisement = parseAdvertisement(packet);
  if (!advertisement.ok) throw new Error(advertisement.reason);
  expect(formatIp6(advertisement.value.prefix)).toBe('2001:0:c000:201::');
  expect(formatIp6(advertisement.value.source)).toBe('fe80::8000:f227:3fff:fdfe');
  expect(formatIp6(advertisement.value.destination)).toBe('fe80::ffff:ffff:ffff');
  expect(advertisement.value.mtu).toBe(1280);
  const built = buildDatagram({ authentication: authentication!, origin: origin!, packet });
  expect(toHex(built)).toBe(toHex(bytes));
});

test.each(['directBubble', 'indirectBubble', 'forwardedBubble'] as const)('%s', (name) => {
  const { bytes, authentication, origin, header, packet } = read(name);
  expect(isBubble(header)).toBe(true);
  expect(authentication).toBeNull();
  const forwarded = name === 'forwardedBubble';
  expect(origin && formatEndpoint(origin)).toBe(forwarded ? '198.51.100.7:40000' : null);
  expect(formatIp6(header.source)).toBe('fe80::c4bf:b8df:da81:c278');
  expect(header.destination).toBe(B);
  expect(packet).toHaveLength(40);
  const built = buildDatagram({
    ...(origin && { origin }),
    packet: buildBubble(header.source, header.destination, 0),
  });
  expect(toHex(built)).toBe(toHex(bytes));
});

test('a bubble is answered to the very link-local source it came from', () => {
  const { header } = read('answeringBubble');
  expect(isBubble(header)).toBe(true);
  expect(header.source).toBe(B);
  expect(header.destination).toBe(read('directBubble').header.source);
});

test.each(['echoRequest', 'echoReply'] as const)('%s has a right checksum', (name) => {
  const { bytes, header, packet } = read(name);
  const reply = name === 'echoReply';
  const echo = parseEcho(packet);
  if (!echo.ok) throw new Error(echo.reason);
  const { data, ...rest } = echo.value;
  expect(data).toHaveLength(56);
  expect(rest).toEqual({
    reply,
    identifier: 0x2aca,
    sequence: 1,
    source: reply ? B : A,
    destination: reply ? A : B,
  });
  expect(header.flowLabel).toBe(reply ? 0xf034e : 0xe6ae5);
  const built = buildEcho({ ...echo.value, hopLimit: header.hopLimit });
  // The kernel chose a flow label; ours is 0. The checksum does not cover it.
  expect(toHex(built.subarray(4))).toBe(toHex(bytes.subarray(4)));
});

test('the addresses say the server and the mapped endpoints of the two clients', () => {
  const [a, b] = [decodeTeredo(A)!, decodeTeredo(B)!];
  expect(formatEndpoint(a.client)).toBe('198.51.100.7:40000');
  expect(formatEndpoint(b.client)).toBe('203.0.113.9:40000');
  expect([a.server, b.server]).toEqual([0xc0000201, 0xc0000201]);
});
