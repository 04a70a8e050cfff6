// Module server/rules.test checks the server's rules one by one (RFC 4380 §5.3) and against what Miredo's server answered.
import { describe, expect, test } from 'vitest';
import {
  authenticate,
  authenticationValue,
  buildDatagram,
  buildIcmp6,
  buildIp6Packet,
  parseAdvertisement,
  parseEcho,
  parseIp6Header,
  PROTOCOL,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import {
  A,
  A_AT,
  at,
  B,
  B_AT,
  Bench,
  bubble,
  bytesOf,
  clientAt,
  echo,
  hexOf,
  ip4,
  ip6,
  LINK_LOCAL,
  LINK_LOCAL_CONE,
  MIREDO,
  NATIVE,
  open,
  PRIMARY,
  SECONDARY,
  solicitation,
} from './harness.ts';

const CLIENT_ID = Uint8Array.of(0xab, 0xcd);
const KEY = new Uint8Array(20).fill(7);
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const KEYS = new Map([['abcd', KEY]]);
const signed = (key: Uint8Array, clientId = CLIENT_ID): Uint8Array => {
  const packet = solicitation();
  const authentication = authenticate({ clientId, key, nonce: NONCE, confirmation: 0, packet });
  return buildDatagram({ authentication, packet });
};

describe('router solicitations (§5.3.1 rule 4, §5.3.2)', () => {
  test("the advertisement is Miredo's, but for its retransmission timer and so the checksum", () => {
    const ours = new Bench().sent(bytesOf(MIREDO.solicitation));
    const theirs = bytesOf(MIREDO.advertisement);
    expect(ours.bytes.length).toBe(117);
    const mask = (bytes: Uint8Array): string => {
      const copy = bytes.slice();
      const icmp = 13 + 8 + 40;
      copy.fill(0, icmp + 2, icmp + 4);
      copy.fill(0, icmp + 12, icmp + 16);
      return hexOf(copy);
    };
    expect(mask(ours.bytes)).toBe(mask(theirs));
    expect(parseAdvertisement(open(ours.bytes).packet)).toEqual(
      parseAdvertisement(open(theirs).packet),
    );
  });

  test('it goes to the UDP source from the address that was asked, names the origin, and the prefix is the primary one', () => {
    for (const side of ['primary', 'secondary'] as const) {
      const out = new Bench().sent(solicitation(), A_AT, side);
      expect(out.via).toBe(side);
      expect(out.to).toEqual(A_AT);
      const datagram = open(out.bytes);
      expect(datagram.origin).toEqual(A_AT);
      const advertisement = parseAdvertisement(datagram.packet);
      expect(advertisement).toMatchObject({
        ok: true,
        value: {
          prefix: teredoPrefix(PRIMARY),
          mtu: 1280,
          destination: LINK_LOCAL,
          // fe80::, cone bit, ~3544, ~192.0.2.1 (§4, §5.3.2)
          source: ip6('fe80::8000:f227:3fff:fdfe'),
        },
      });
    }
  });

  test('with the cone bit the answer comes from the other address', () => {
    const bench = new Bench();
    expect(bench.sent(solicitation(LINK_LOCAL_CONE), A_AT, 'primary').via).toBe('secondary');
    expect(bench.sent(solicitation(LINK_LOCAL_CONE), A_AT, 'secondary').via).toBe('primary');
  });

  test('with the cone bit and one address alone there is no answer', () => {
    const bench = new Bench({ secondary: null });
    expect(bench.refusal(solicitation(LINK_LOCAL_CONE))).toBe('solicitationCone');
    expect(bench.sent(solicitation()).via).toBe('primary');
  });

  test('new keys and limits rule from the next datagram on, and the counts stay', () => {
    const bench = new Bench({ limits: { solicitationsPerSecondPerSource: 1 } });
    bench.sent(solicitation());
    expect(bench.refusal(solicitation())).toBe('solicitationLimit');
    const limits = { solicitationsPerSecondPerSource: 2 };
    bench.server.configure({ clients: new Map(), requireAuthentication: false, limits });
    bench.sent(solicitation());
    bench.sent(solicitation());
    expect(bench.refusal(solicitation())).toBe('solicitationLimit');
    bench.server.configure({ clients: KEYS, requireAuthentication: true, limits: {} });
    expect(bench.refusal(solicitation())).toBe('authenticationMissing');
    bench.sent(signed(KEY));
    expect(bench.server.discards).toEqual({ solicitationLimit: 2, authenticationMissing: 1 });
  });

  test('without authentication in the question there is none in the answer', () => {
    expect(open(new Bench().sent(solicitation()).bytes).authentication).toBeNull();
  });

  test('the nonce comes back as it was (§5.2.2)', () => {
    const out = new Bench().sent(bytesOf(MIREDO.solicitation));
    const { authentication } = open(out.bytes);
    expect(authentication).toMatchObject({ nonce: NONCE, confirmation: 0 });
    expect(authentication?.clientId.length).toBe(0);
    expect(authentication?.value.length).toBe(0);
  });

  test('another ICMPv6 message to all routers, and a hop limit that was forwarded, are discarded', () => {
    const bench = new Bench();
    const all = ip6('ff02::2');
    const fields = { code: 0, source: LINK_LOCAL, destination: all, hopLimit: 255 };
    const body = new Uint8Array(4);
    expect(bench.refusal(buildIcmp6({ ...fields, type: 128 }, body))).toBe('icmpNotSolicitation');
    expect(bench.refusal(buildIcmp6({ ...fields, type: 133, hopLimit: 254 }, body))).toBe(
      'solicitationHopLimit',
    );
    expect(bench.refusal(bubble(LINK_LOCAL, all))).toBe('icmpNotSolicitation');
    const wrong = solicitation();
    wrong[42]! ^= 1;
    expect(bench.refusal(wrong)).toBe('icmpChecksum');
  });
});

describe('secure qualification (§5.2.2, §5.3.1 rule 4, §5.3.2)', () => {
  test('a known client gets a signed answer: its identifier, its nonce, confirmation 0', () => {
    for (const clients of [KEYS, (id: string) => KEYS.get(id)]) {
      const bench = new Bench({ clients, requireAuthentication: true });
      const { authentication, originBytes, packet } = open(bench.sent(signed(KEY)).bytes);
      expect(authentication).toMatchObject({ clientId: CLIENT_ID, nonce: NONCE, confirmation: 0 });
      expect(hexOf(authentication!.value)).toBe(
        hexOf(authenticationValue(KEY, NONCE, 0, originBytes, packet)),
      );
    }
  });

  test('an identifier that is not valid gets a confirmation other than 0', () => {
    const out = new Bench({ clients: KEYS }).sent(signed(KEY, Uint8Array.of(1)));
    const { authentication } = open(out.bytes);
    expect(authentication?.clientId).toEqual(Uint8Array.of(1));
    expect(authentication?.confirmation).not.toBe(0);
    expect(authentication?.value.length).toBe(0);
  });

  test('a wrong signature is discarded whether or not one is required', () => {
    for (const requireAuthentication of [true, false])
      expect(
        new Bench({ clients: KEYS, requireAuthentication }).refusal(signed(new Uint8Array(20))),
      ).toBe('authenticationFailed');
  });

  test('where it is required, solicitations without it or of strangers are discarded', () => {
    const bench = new Bench({ clients: KEYS, requireAuthentication: true });
    expect(bench.refusal(solicitation())).toBe('authenticationMissing');
    expect(bench.refusal(bytesOf(MIREDO.solicitation))).toBe('authenticationMissing');
    expect(bench.refusal(signed(KEY, Uint8Array.of(1)))).toBe('authenticationUnknown');
  });

  test('a signature is of one packet: another source under it is discarded', () => {
    const bench = new Bench({ clients: KEYS });
    const { authentication } = open(signed(KEY));
    const forged = buildDatagram({
      authentication: authentication!,
      packet: solicitation(ip6('fe80::1')),
    });
    expect(bench.refusal(forged)).toBe('authenticationFailed');
  });
});

describe('forwarding to clients (§5.3.1)', () => {
  test("what is forwarded is what Miredo's server forwards, byte for byte", () => {
    const pairs = [
      [MIREDO.bubble, MIREDO.forwarded],
      [MIREDO.bubbleWithTrailer, MIREDO.forwardedWithTrailer],
      [MIREDO.bubbleFromLinkLocal, MIREDO.forwardedFromLinkLocal],
    ] as const;
    for (const [asked, expected] of pairs) {
      const out = new Bench().sent(bytesOf(asked));
      expect(hexOf(out.bytes)).toBe(expected);
      expect(out).toMatchObject({ via: 'primary', to: B_AT });
    }
  });

  test('rule 2: neither bubble nor ping is discarded', () => {
    const bench = new Bench();
    const udp = buildIp6Packet(
      { nextHeader: PROTOCOL.udp, hopLimit: 64, source: A, destination: B },
      new Uint8Array(16),
    );
    expect(bench.refusal(udp)).toBe('notRelayed');
    const longBubble = buildIp6Packet(
      { nextHeader: PROTOCOL.none, hopLimit: 64, source: A, destination: B },
      new Uint8Array(4),
    );
    expect(bench.refusal(longBubble)).toBe('notRelayed');
    const error = buildIcmp6(
      { type: 1, code: 0, source: A, destination: B, hopLimit: 64 },
      new Uint8Array(4),
    );
    expect(bench.refusal(error)).toBe('icmpNotEcho');
    const neighbour = buildIcmp6(
      { type: 136, code: 0, source: A, destination: B, hopLimit: 255 },
      new Uint8Array(20),
    );
    expect(bench.refusal(neighbour)).toBe('icmpNotEcho');
  });

  test('pings up to 88 bytes of ICMPv6 are forwarded, as by Miredo, and no longer ones', () => {
    const bench = new Bench();
    expect(bench.sent(echo(A, B, 80)).bytes.length).toBe(8 + 40 + 88);
    expect(bench.sent(echo(A, B, 8, true)).to).toEqual(B_AT);
    expect(bench.refusal(echo(A, B, 81))).toBe('icmpTooLong');
  });

  test('Miredo fault 27: by rule 3 a source that is not global is refused and counted, private ones but with --allow-private', () => {
    const bench = new Bench();
    const lab = new Bench({ allowPrivate: true });
    for (const ip of ['10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', '169.254.1.1']) {
      const from = at(`${ip}:40000`);
      expect(bench.refusal(solicitation(), from)).toBe('sourceNotGlobal');
      expect(lab.sent(solicitation(), from).to).toEqual(from);
    }
    for (const ip of ['0.0.0.1', '127.0.0.1', '224.0.0.253', '255.255.255.255', '240.0.0.1']) {
      expect(bench.refusal(solicitation(), at(`${ip}:40000`))).toBe('sourceNotGlobal');
      expect(lab.refusal(solicitation(), at(`${ip}:40000`))).toBe('sourceNotGlobal');
    }
    expect(bench.refusal(solicitation(), at('198.51.100.7:0'))).toBe('sourceNotGlobal');
  });

  test('rule 5: a Teredo source counts only from the endpoint inside it', () => {
    const bench = new Bench();
    expect(bench.refusal(bubble(A, B), B_AT)).toBe('sourceMismatch');
    expect(bench.refusal(bubble(A, B), at('198.51.100.7:40001'))).toBe('sourceMismatch');
    expect(bench.refusal(bubble(A, B), at('198.51.100.8:40000'))).toBe('sourceMismatch');
    // Clients of other servers bubble through the server of their peer.
    const guest = clientAt('198.51.100.7:40000', ip4('192.0.2.99'));
    expect(bench.sent(bubble(guest, B)).to).toEqual(B_AT);
  });

  test("rule 6: a relay's bubble goes to a client of ours only", () => {
    const bench = new Bench();
    const relay = at('203.0.113.5:3545');
    expect(bench.sent(bubble(NATIVE, B), relay)).toMatchObject({ to: B_AT });
    expect(open(bench.sent(bubble(NATIVE, B), relay).bytes).origin).toEqual(relay);
    expect(bench.refusal(bubble(NATIVE, clientAt('198.51.100.8:50000', SECONDARY)), relay)).toBe(
      'clientOfAnotherServer',
    );
    expect(bench.refusal(bubble(NATIVE, ip6('2001:db8::9')), relay)).toBe('sourceMismatch');
    // Only bubbles come from a link-local source.
    expect(bench.refusal(echo(LINK_LOCAL, B), relay)).toBe('sourceNotUnicast');
  });

  test("another server's clients are not ours to reach, whoever asks", () => {
    const other = clientAt('198.51.100.8:50000', ip4('192.0.2.99'));
    expect(new Bench().refusal(bubble(A, other))).toBe('clientOfAnotherServer');
  });

  test('an authentication before a bubble is taken off', () => {
    const packet = bubble(A, B);
    const authentication = {
      clientId: new Uint8Array(0),
      value: new Uint8Array(0),
      nonce: NONCE,
      confirmation: 0,
    };
    const out = new Bench().sent(buildDatagram({ authentication, packet }));
    expect(hexOf(out.bytes)).toBe(MIREDO.forwarded);
  });
});

describe('pings to native hosts (§5.3.1, §5.2.9)', () => {
  const onlyNative = (bench: Bench, bytes: Uint8Array): Uint8Array => {
    const [output, ...more] = bench.ask(bytes);
    if (output?.kind !== 'native' || more.length > 0)
      throw new Error('not sent to the native side');
    return output.bytes;
  };

  test("leave with the client's own source and one hop less", () => {
    const asked = echo(A, NATIVE);
    const packet = onlyNative(new Bench(), asked);
    expect(parseEcho(packet)).toEqual(parseEcho(asked));
    const before = parseIp6Header(asked);
    const after = parseIp6Header(packet);
    if (!before.ok || !after.ok) throw new Error('unreadable');
    expect(after.value).toEqual({ ...before.value, hopLimit: before.value.hopLimit - 1 });
  });

  test('other packets, hop limits at their end, and clients of other servers stay', () => {
    const bench = new Bench();
    expect(bench.refusal(bubble(A, NATIVE))).toBe('bubbleToNative');
    expect(bench.refusal(echo(A, NATIVE, 81))).toBe('icmpTooLong');
    const last = echo(A, NATIVE);
    last[7] = 1;
    expect(bench.refusal(last)).toBe('hopLimit');
    const guest = clientAt('198.51.100.7:40000', ip4('192.0.2.99'));
    expect(bench.refusal(echo(guest, NATIVE))).toBe('clientOfAnotherServer');
  });

  test('a destination that is not of global scope is never sent to', () => {
    const bench = new Bench();
    for (const text of ['fe80::1', 'ff02::1', 'ff0e::1', '::1', '::', '::ffff:192.0.2.9'])
      expect(bench.refusal(echo(A, ip6(text)))).toBe('destinationNotGlobal');
    for (const text of ['fd00::1', 'fec0::1', '64:ff9b::c000:209', '100::1'])
      expect(bench.refusal(echo(A, ip6(text)))).toBe('destinationNotGlobal');
    const lab = new Bench({ allowPrivate: true });
    expect(onlyNative(lab, echo(A, ip6('fd00::1'))).length).toBe(64);
    expect(lab.refusal(echo(A, ip6('fe80::1')))).toBe('destinationNotGlobal');
  });
});
