// Tests of client/qualification: what is asked, what answers count, and what a client learns from them (RFC 4380 §5.2.1, §5.2.2, §5.2.5).
import { describe, expect, test } from 'vitest';
import {
  authenticationValue,
  buildSolicitation,
  decodeTeredo,
  formatEndpoint,
  formatIp6,
  hmacSha1,
  teredoPrefix,
} from '../../../engine/wire/index.ts';
import {
  advertisement,
  at,
  Bench,
  ip4,
  ip6,
  MAPPED,
  open,
  partsFor,
  PRIMARY,
  SECONDARY,
} from './harness.ts';
import type { AdvertisementParts } from './harness.ts';

const solicitations = (bench: Bench): ReturnType<Bench['takeSent']> =>
  bench.takeSent().filter((s) => s.why === 'solicitation' || s.why === 'refresh');

describe('solicitation', () => {
  test('a timer that ran early is told its time again', () => {
    const bench = new Bench();
    const due = bench.wake;
    bench.wake = Infinity;
    bench.client.handleInput({ kind: 'timeout' }, due - 0.5);
    bench.drain();
    expect(bench.wake).toBe(due);
  });

  test('goes to both addresses of the server at once, from link-local to all routers, with a nonce each', () => {
    const sent = solicitations(new Bench());
    expect(sent.map((s) => formatEndpoint(s.to))).toEqual(['192.0.2.1:3544', '192.0.2.2:3544']);
    const [first, second] = sent.map(open);
    for (const d of [first!, second!]) {
      expect(formatIp6(d.header.destination)).toBe('ff02::2');
      expect(d.header.source >> 118n).toBe(0xfe80n >> 6n);
      expect(d.header.hopLimit).toBe(255);
      expect([...d.packet]).toEqual([...buildSolicitation(d.header.source)]);
      // RFC 4380 §5.2.2: no shared key, so both lengths are null and the confirmation byte is 0.
      expect(d.authentication).toMatchObject({ confirmation: 0 });
      expect(d.authentication!.clientId).toHaveLength(0);
      expect(d.authentication!.value).toHaveLength(0);
      // The cone bit of the source's identifier is 0: RFC 5991 lets a client start as restricted.
      expect((d.header.source >> 63n) & 1n).toBe(0n);
    }
    expect([...first!.authentication!.nonce]).not.toEqual([...second!.authentication!.nonce]);
  });

  test('is repeated after T = 4 s with a new nonce; after N = 3 the server is said to be silent, and asked for ever', () => {
    const bench = new Bench();
    const first = open(solicitations(bench)[0]!);
    bench.pass(3_999);
    expect(solicitations(bench)).toHaveLength(0);
    bench.pass(1);
    const again = solicitations(bench);
    expect(again).toHaveLength(2);
    expect([...open(again[0]!).authentication!.nonce]).not.toEqual([
      ...first.authentication!.nonce,
    ]);
    bench.pass(7_999);
    expect(bench.client.status().reason.code).toBe('starting');
    bench.pass(1);
    expect(bench.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'no-answer' },
    });
    bench.takeSent();
    bench.pass(600_000);
    const later = solicitations(bench);
    expect(later.length).toBeGreaterThanOrEqual(18);
    expect(later.every((s) => s.to.ip === PRIMARY.ip)).toBe(true);
    bench.answerSolicitations();
    bench.receive(PRIMARY, advertisement(partsFor(open(later.at(-1)!), MAPPED)));
    expect(bench.client.status().state).toBe('qualified');
  });
});

describe('advertisement', () => {
  test('the first one from the primary qualifies; the address has the server, the mapping and random flags', () => {
    const bench = new Bench();
    bench.answerSolicitations({ primary: MAPPED });
    const status = bench.client.status();
    expect(status).toMatchObject({ state: 'qualified', nat: 'unknown', mapped: MAPPED, mtu: 1280 });
    const parts = decodeTeredo(status.address!)!;
    expect(parts.server).toBe(PRIMARY.ip);
    expect(parts.client).toEqual(MAPPED);
    // RFC 5991 §3: C, R, U and G are 0.
    expect(parts.flags & 0xc300).toBe(0);
    expect(new Bench().address).toBeNull();
  });

  test('tells how long the server took to answer', () => {
    const bench = new Bench();
    expect(bench.client.status().serverRttMs).toBeNull();
    bench.pass(37);
    bench.answerSolicitations();
    expect(bench.client.status().serverRttMs).toBe(37);
  });

  test('the same origin from the secondary: restricted; another one: symmetric, and still qualified', () => {
    expect(Bench.qualified().client.status().nat).toBe('restricted');
    const bench = new Bench();
    bench.answerSolicitations({ primary: MAPPED, secondary: at('198.51.100.7:40001') });
    expect(bench.client.status()).toMatchObject({
      state: 'qualified',
      nat: 'symmetric',
      mapped: MAPPED,
    });
  });

  test('a mapped address that is our own interface means that there is no NAT', () => {
    const bench = new Bench();
    bench.answerSolicitations({ primary: at('192.168.1.10:5000') });
    expect(bench.client.discards).toMatchObject({ originNotGlobal: 1 });
    const open4 = new Bench({ allowPrivate: true });
    open4.answerSolicitations({ primary: at('192.168.1.10:5000') });
    expect(open4.client.status()).toMatchObject({ state: 'qualified', nat: 'none' });
  });

  test('from the secondary alone it qualifies after a moment, so that one lost datagram costs little', () => {
    const bench = new Bench();
    bench.now += 30;
    bench.answerSolicitations({ secondary: MAPPED });
    expect(bench.client.status().state).toBe('qualifying');
    bench.pass(50);
    expect(bench.client.status()).toMatchObject({ state: 'qualified', mapped: MAPPED });
  });

  test('R-mitm: an origin that is not public gives no address, and says so', () => {
    const bench = new Bench();
    bench.answerSolicitations({ primary: at('10.0.0.1:4000'), secondary: at('224.0.0.1:4000') });
    expect(bench.client.status()).toMatchObject({
      address: null,
      reason: { code: 'mapping-refused' },
    });
    expect(bench.client.discards).toEqual({ originNotGlobal: 2 });
  });

  const other = ip6('fe80::1');
  const lies: [string, (p: AdvertisementParts) => AdvertisementParts, string][] = [
    ['without a nonce', (p) => ({ ...p, authentication: null }), 'advertisementNonce'],
    [
      'with a wrong nonce',
      (p) => ({ ...p, authentication: { ...p.authentication!, nonce: new Uint8Array(8) } }),
      'advertisementNonce',
    ],
    [
      'to another link-local address',
      (p) => ({ ...p, destination: other }),
      'advertisementDestination',
    ],
    [
      'with the prefix of another server',
      (p) => ({ ...p, prefix: teredoPrefix(ip4('192.0.2.77')) }),
      'advertisementPrefix',
    ],
    [
      'with a prefix that is not Teredo’s',
      (p) => ({ ...p, prefix: ip6('2001:db8::') }),
      'advertisementPrefix',
    ],
    ['without an origin', (p) => ({ ...p, origin: null }), 'advertisementNoOrigin'],
  ];
  test.each(lies)(
    'R-spoofed-server: %s it is discarded and changes nothing',
    (_, change, reason) => {
      const bench = new Bench();
      bench.answerSolicitations({ primary: MAPPED }, change);
      expect(bench.client.status()).toMatchObject({ state: 'qualifying', address: null });
      expect(bench.client.discards).toEqual({ [reason]: 1 });
    },
  );

  test('Miredo fault 20: R-spoofed-server: an advertisement from another address, a second time, or out of the blue is discarded', () => {
    const bench = new Bench();
    const [first] = solicitations(bench);
    const answer = advertisement(partsFor(open(first!), MAPPED));
    bench.receive(SECONDARY, answer);
    expect(bench.client.discards).toEqual({ advertisementNonce: 1 });
    bench.receive(at('203.0.113.66:3544'), answer);
    expect(bench.client.discards).toMatchObject({ indicatorNotFromServer: 1 });
    bench.receive(PRIMARY, answer);
    expect(bench.client.status().state).toBe('qualified');
    const lie = partsFor(open(first!), at('203.0.113.200:1'));
    bench.receive(PRIMARY, advertisement(lie));
    expect(bench.client.discards).toMatchObject({ advertisementUnsolicited: 1 });
    expect(bench.client.status().mapped).toEqual(MAPPED);
  });
});

describe('secure qualification (RFC 4380 §5.2.2)', () => {
  const credentials = {
    clientId: new TextEncoder().encode('home'),
    key: new TextEncoder().encode('secret'),
  };
  const signed =
    (key: Uint8Array) =>
    (parts: AdvertisementParts): AdvertisementParts => {
      const bare = open({ bytes: advertisement(parts) });
      const { nonce } = parts.authentication!;
      const value = authenticationValue(key, nonce, 0, bare.originBytes, bare.packet);
      return {
        ...parts,
        authentication: { clientId: credentials.clientId, value, nonce, confirmation: 0 },
      };
    };

  test('the solicitation carries the client id and HMAC-SHA1 over nonce, confirmation and packet', () => {
    const [first] = solicitations(new Bench({ credentials }));
    const d = open(first!);
    expect([...d.authentication!.clientId]).toEqual([...credentials.clientId]);
    const expected = hmacSha1(credentials.key, d.authentication!.nonce, Uint8Array.of(0), d.packet);
    expect([...d.authentication!.value]).toEqual([...expected]);
  });

  test('a signed answer qualifies; an unsigned or wrongly signed one does not', () => {
    const bench = new Bench({ credentials });
    const sent = solicitations(bench);
    const parts = partsFor(open(sent[0]!), MAPPED);
    bench.receive(PRIMARY, advertisement(parts));
    bench.receive(PRIMARY, advertisement(signed(new TextEncoder().encode('guess'))(parts)));
    expect(bench.client.discards).toEqual({ advertisementUnsigned: 1, advertisementSignature: 1 });
    bench.receive(PRIMARY, advertisement(signed(credentials.key)(parts)));
    expect(bench.client.status().state).toBe('qualified');
  });

  test('a confirmation byte other than 0 asks for a new key', () => {
    const bench = new Bench({ credentials });
    bench.answerSolicitations({ primary: MAPPED }, (p) => ({
      ...p,
      authentication: { ...p.authentication!, confirmation: 1 },
    }));
    expect(bench.client.status()).toMatchObject({
      state: 'refused',
      reason: { code: 'key-refused' },
    });
  });
});

describe('maintenance (RFC 4380 §5.2.5)', () => {
  test('the refresh comes after 75 % to 100 % of 30 s, to the primary alone, at a time that varies', () => {
    const bench = Bench.qualified();
    const waits = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const before = bench.now;
      bench.pass(22_499);
      expect(solicitations(bench)).toHaveLength(0);
      while (bench.sent.length === 0 && bench.now < before + 30_000) bench.pass(1);
      expect(bench.sent.map((s) => [s.why, s.to.ip])).toEqual([['refresh', PRIMARY.ip]]);
      waits.add(bench.now - before);
      bench.answerSolicitations();
    }
    expect(waits.size).toBeGreaterThan(25);
  });

  test('a silent server takes nothing down: the address stays, the reason says it, and its return heals at once', () => {
    const bench = Bench.qualified();
    const { address } = bench;
    bench.pass(60_000);
    expect(bench.client.status()).toMatchObject({
      state: 'qualified',
      address,
      reason: { code: 'server-silent' },
    });
    bench.takeSent();
    bench.pass(10_000);
    expect(bench.sent.length).toBeGreaterThan(0);
    bench.answerSolicitations();
    expect(bench.client.status()).toMatchObject({
      state: 'qualified',
      address,
      reason: { code: 'qualified' },
    });
  });

  test('another mapping in the advertisement makes a new address and marks the old one invalid', () => {
    const bench = Bench.qualified();
    const { address } = bench;
    const moved = at('198.51.100.7:41000');
    bench.pass(30_000);
    bench.answerSolicitations({ primary: moved, secondary: moved });
    expect(bench.address).not.toBe(address);
    expect(decodeTeredo(bench.address)!.client).toEqual(moved);
    bench.answerSolicitations({ primary: moved, secondary: moved });
    expect(bench.client.status()).toMatchObject({
      nat: 'restricted',
      reason: { code: 'qualified' },
    });
  });

  test('a changed network asks again at once and keeps the address if the mapping is the same', () => {
    const bench = Bench.qualified();
    const { address } = bench;
    bench.client.handleInput(
      { kind: 'network', networks: [{ address: ip4('192.168.7.3'), prefix: 24 }] },
      bench.now,
    );
    bench.drain();
    expect(bench.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'network-changed' },
    });
    bench.answerSolicitations();
    expect(bench.client.status()).toMatchObject({ state: 'qualified', address });
  });

  test('the address of an earlier run comes back with its flags when server and mapping are the same', () => {
    const first = Bench.qualified();
    const again = new Bench({ lastAddress: first.address ^ (0x3cffn << 48n) });
    again.answerSolicitations();
    expect(again.address).toBe(first.address ^ (0x3cffn << 48n));
    const moved = new Bench({ lastAddress: first.address });
    moved.answerSolicitations({ primary: at('198.51.100.7:1234') });
    expect(decodeTeredo(moved.address)!.client.port).toBe(1234);
  });
});
