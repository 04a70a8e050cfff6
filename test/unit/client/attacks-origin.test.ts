// Tests of R-mitm: a server (or somebody before it) that says of our mapping what is not true.
import { describe, expect, test } from 'vitest';
import { decodeTeredo, teredoPrefix } from '../../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import {
  advertisement,
  at,
  Bench,
  bubble,
  data,
  ip4,
  ip6,
  MAPPED,
  open,
  partsFor,
  PEER,
  PEER_ENDPOINT,
  STRANGER,
  teredoAt,
  udp,
} from './harness.ts';

/** A public endpoint that is not ours. */
const LIE = at('203.0.113.200:4000');
const OTHER = at('192.0.2.129:3544');
/** Hosts of different kinds that nobody answers for. */
const DEAD: readonly Ip6[] = [
  ip6('2001:db8::1'),
  teredoAt('203.0.113.50:5000'),
  ip6('2001:db8::3'),
];
/** The longest that one attempt to reach somebody takes, ms. */
const ATTEMPT_MS = 9_000;

/** Lets a program try each of `hosts`, and the server repeat what it said. */
function tries(bench: Bench, hosts: readonly Ip6[], origins = { primary: LIE, secondary: LIE }) {
  for (const host of hosts) {
    bench.fromProgram(udp(bench.address, host));
    for (let second = 0; second * 1_000 < ATTEMPT_MS; second++) {
      bench.answerSolicitations(origins);
      bench.pass(1_000);
    }
  }
}

function lied(origins = { primary: LIE, secondary: LIE }): Bench {
  const bench = new Bench();
  bench.answerSolicitations(origins);
  expect(bench.client.status()).toMatchObject({ state: 'qualified', mapped: LIE });
  return bench;
}

/** Another server is asked, and says that it sees us at `origin`. */
function otherSays(bench: Bench, origin: Endpoint, always = false): void {
  bench.takeSent();
  const server2 = ip4('192.0.2.130');
  bench.client.handleInput({ kind: 'server', server: OTHER.ip, server2, always }, bench.now);
  bench.drain();
  const asked = bench.sent.find(({ to }) => to.ip === OTHER.ip)!;
  const parts = { ...partsFor(open(asked), origin), prefix: teredoPrefix(OTHER.ip) };
  bench.receive(OTHER, advertisement(parts));
}

const wanted = (bench: Bench): number => bench.order.filter((kind) => kind === 'wantServer').length;

describe('R-mitm: the server lies about the origin', () => {
  test('no traffic follows: qualified is not shown, and another server is wanted', () => {
    const bench = lied();
    tries(bench, DEAD.slice(0, 2));
    expect(bench.client.status().state).toBe('qualified');
    tries(bench, DEAD.slice(2));
    expect(bench.client.status()).toMatchObject({
      state: 'qualifying',
      reason: { code: 'no-traffic' },
    });
    expect(wanted(bench)).toBe(1);
    // It is told once, whatever the server goes on to say.
    tries(bench, DEAD);
    expect(
      bench.events.filter((e) => e.kind === 'state' && e.reason === 'no-traffic'),
    ).toHaveLength(1);
  });

  test('the next server sees us elsewhere: it is ours from then on, with an address of what it sees', () => {
    const bench = lied();
    tries(bench, DEAD);
    otherSays(bench, MAPPED);
    const status = bench.client.status();
    expect(status).toMatchObject({ state: 'qualified', reason: { code: 'mapping-changed' } });
    expect(decodeTeredo(status.address!)).toMatchObject({ server: OTHER.ip, client: MAPPED });
  });

  test('the next server sees us at the same place: the peers are off, and the address stays', () => {
    const bench = lied();
    const { address } = bench;
    tries(bench, DEAD);
    otherSays(bench, LIE);
    expect(bench.client.status()).toMatchObject({ state: 'qualified', address });
    expect(bench.client.serverEndpoints).toHaveLength(2);
    // What was said twice is not doubted again, as long as it is said.
    tries(bench, [...DEAD, ip6('2001:db8::4'), ip6('2001:db8::5'), ip6('2001:db8::6')]);
    expect(bench.client.status()).toMatchObject({ state: 'qualified', address });
    expect(wanted(bench)).toBe(1);
  });

  test('behind a symmetric NAT the next server sees another port, and that is no lie', () => {
    const bench = new Bench();
    const origins = { primary: LIE, secondary: at('203.0.113.200:4001') };
    bench.answerSolicitations(origins);
    expect(bench.client.status().nat).toBe('symmetric');
    const { address } = bench;
    const natives = ['2001:db8::1', '2001:db8::2', '2001:db8::3'].map(ip6);
    tries(bench, natives, origins);
    expect(bench.client.status().reason.code).toBe('no-traffic');
    otherSays(bench, at('203.0.113.200:4002'));
    expect(bench.client.status()).toMatchObject({ state: 'qualified', address });
  });

  test('behind a symmetric NAT silent Teredo peers say nothing', () => {
    const origins = { primary: LIE, secondary: at('203.0.113.200:4001') };
    const bench = new Bench();
    bench.answerSolicitations(origins);
    tries(
      bench,
      ['203.0.113.50:1', '203.0.113.51:2', '203.0.113.52:3'].map((each) => teredoAt(each)),
      origins,
    );
    expect(bench.client.status().state).toBe('qualified');
  });

  test('one packet from anybody proves the address, before or after', () => {
    const bench = lied();
    tries(bench, DEAD);
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    expect(bench.client.status()).toMatchObject({
      state: 'qualified',
      reason: { code: 'qualified' },
    });
    tries(bench, [ip6('2001:db8::4'), ip6('2001:db8::5'), ip6('2001:db8::6')]);
    expect(bench.client.status().state).toBe('qualified');
  });

  test('no proof is what has to be proven itself', () => {
    const bench = lied();
    tries(bench, DEAD);
    bench.receive(STRANGER, bubble(PEER, bench.address));
    bench.receive(STRANGER, data(udp(ip6('2001:db8::9'), bench.address, 0, 100)));
    expect(bench.client.status().reason.code).toBe('no-traffic');
  });

  test('strangers whom we ask for proof raise no doubt: they could make us change our server', () => {
    const bench = lied();
    for (let n = 1; n < 9; n++) {
      bench.receive(STRANGER, data(udp(ip6(`2001:db8::${n}`), bench.address, 0, 100)));
      tries(bench, []);
      bench.pass(ATTEMPT_MS);
      bench.answerSolicitations({ primary: LIE, secondary: LIE });
    }
    expect(bench.client.status().state).toBe('qualified');
    expect(wanted(bench)).toBe(0);
  });

  test('a change of the mapping that the server tells is open to doubt like the first', () => {
    const bench = Bench.qualified();
    bench.receive(PEER_ENDPOINT, bubble(PEER, bench.address));
    // The next refresh.
    bench.pass(30_000);
    bench.answerSolicitations({ primary: LIE, secondary: LIE });
    expect(bench.client.status()).toMatchObject({ state: 'qualified', mapped: LIE });
    tries(bench, DEAD);
    expect(bench.client.status().reason.code).toBe('no-traffic');
  });

  test('a user who asks for another server gets it, whatever it sees', () => {
    const bench = lied();
    tries(bench, DEAD);
    otherSays(bench, LIE, true);
    expect(decodeTeredo(bench.address)!.server).toBe(OTHER.ip);
  });

  test('who waits for a silent server has not asked in vain yet: it is the server that is told', () => {
    const bench = lied();
    bench.takeSent();
    bench.pass(45_000);
    for (const host of DEAD) {
      bench.fromProgram(udp(bench.address, host));
      bench.pass(ATTEMPT_MS);
    }
    expect(bench.client.status()).toMatchObject({
      state: 'qualified',
      reason: { code: 'server-silent' },
    });
  });

  test('a ping of the user still goes out, so that he can see for himself', () => {
    const bench = lied();
    tries(bench, DEAD);
    bench.client.handleInput({ kind: 'ping', id: 1, address: PEER, timeoutMs: 1_000 }, bench.now);
    bench.drain();
    expect(bench.pongs).toEqual([]);
    expect(bench.sent.some(({ why }) => why === 'direct-bubble')).toBe(true);
  });
});
