// Tests each fault of the built-in network in virtual time: what it does to a client, that it is told, and that its end heals it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { applyFaults, FAULTS, happen } from '../../engine/service/builtin/faults.ts';
import type { FaultName, Parts } from '../../engine/service/builtin/faults.ts';
import { RELAYS } from '../../engine/service/builtin/places.ts';
import { attachEchoHost, NAT_KINDS } from '../../engine/sim/index.ts';
import { formatIp4, parseIp6 } from '../../engine/wire/index.ts';
import { Whole } from './whole.ts';
import { Home, ip, World } from './world.ts';

const WEBSITE = '2001:db8::80';
const NATIVE = parseIp6(WEBSITE)!;
/** A refresh interval, and three solicitations, 4 s each: by then a silent server is told. */
const TOLD_MS = 42_500;
/** The longest until the server is asked again, or an attempt to reach a peer is made anew. */
const HEALED_MS = 35_000;

/** A home behind a router, another to talk with, a native host behind a relay, and the faults that are on. */
class Place {
  readonly world = new World();
  readonly home: Home;
  readonly friend: Home;
  readonly parts: Parts;
  private tag = 0;

  constructor() {
    const { world } = this;
    const relay = world.addRelay('203.0.113.200');
    attachEchoHost(world.native, 'native', NATIVE);
    this.home = new Home(world, 'home', '198.51.100.7', NAT_KINDS.linux);
    this.friend = new Home(world, 'friend', '203.0.113.9', NAT_KINDS.portRestricted);
    this.home.start();
    this.friend.start();
    world.run(1_000);
    this.parts = {
      kind: 'linux',
      router: this.home.nat,
      plug: this.home.link,
      server: world.serverLinks,
      relay: relay.link,
    };
    expect(this.hears(10)).toBe(10);
  }

  set(...names: FaultName[]): void {
    applyFaults(this.parts, new Set(names));
  }

  get reason(): string {
    return this.home.client.status().reason.code;
  }

  /** How many of `count` packets, one a second, the friend's program gets from ours; it answers each. */
  hears(count: number): number {
    const before = this.friend.received.length;
    for (let n = 0; n < count; n++) {
      this.home.send(this.friend.address, (this.tag = (this.tag + 1) % 256));
      this.friend.send(this.home.address, this.tag);
      this.world.run(1_000);
    }
    return this.friend.received.length - before;
  }

  /** Whether the native host was reached within five packets, one a second. */
  reachesNative(): boolean {
    for (let n = 0; n < 5; n++) {
      this.home.send(NATIVE, 1);
      this.world.run(1_000);
    }
    const peers = this.home.client.peers(this.world.simulation.now);
    return peers.some(({ address, trusted }) => address === NATIVE && trusted);
  }

  /** No fault is on any more, and within the time all is as it was. */
  heals(): void {
    this.set();
    this.hears(HEALED_MS / 1_000);
    expect(this.home.client.status().state).toBe('qualified');
    expect(this.hears(5)).toBe(5);
  }
}

/** A server or its port is silent. */
function serverSilent(name: 'server' | 'port-3544'): void {
  const place = new Place();
  place.set(name);
  expect(place.hears(TOLD_MS / 1_000 + 1)).toBe(Math.ceil(TOLD_MS / 1_000 + 1));
  expect(place.reason).toBe('server-silent');
  place.heals();
}

/** Nothing passes. */
function allSilent(name: 'udp' | 'portal' | 'line'): void {
  const place = new Place();
  place.set(name);
  expect(place.hears(TOLD_MS / 1_000)).toBe(0);
  expect(place.home.errors).toBeGreaterThan(0);
  expect(['server-silent', 'no-answer']).toContain(place.reason);
  place.heals();
}

/** Each fault by its name: what it does, that it is told, that its end heals it. */
const TRIED: Record<
  FaultName,
  { readonly what: string; readonly run: () => Promise<void> | void }
> = {
  server: {
    what: 'the server is told as silent, and the flow to the friend goes on',
    run: () => serverSilent('server'),
  },
  'port-3544': {
    what: 'the server is told as silent, and the flow to the friend goes on',
    run: () => serverSilent('port-3544'),
  },
  udp: { what: 'nothing passes, and that is told', run: () => allSilent('udp') },
  line: { what: 'nothing passes, and that is told', run: () => allSilent('line') },
  portal: {
    what: 'nothing passes, names lead to the page, and the doctor says what to do',
    run: async () => {
      allSilent('portal');
      const whole = await Whole.start();
      expect(await whole.relay(WEBSITE, 5_000)).not.toBeNull();
      await whole.set('portal');
      await whole.run(TOLD_MS);
      expect(await whole.relay(WEBSITE, 5_000)).toBeNull();
      expect(await whole.verdict()).toMatchObject({
        ok: false,
        text: expect.stringMatching(/Log in/) as string,
      });
      await whole.heal();
      await whole.run(HEALED_MS);
      expect(whole.client.status().state).toBe('qualified');
      expect(await whole.relay(WEBSITE, 10_000)).not.toBeNull();
      expect(await whole.verdict()).toMatchObject({ ok: true });
    },
  },
  loss: {
    what: 'about one packet in five does not arrive',
    run: () => {
      const place = new Place();
      place.set('loss');
      const arrived = place.hears(300);
      expect(arrived).toBeGreaterThan(300 * 0.7);
      expect(arrived).toBeLessThan(300 * 0.9);
      place.heals();
    },
  },
  cable: {
    what: 'told at once, and healed at once',
    run: () => {
      const place = new Place();
      place.set('cable');
      place.world.run(1_000);
      expect(place.reason).toBe('no-network');
      place.set();
      place.world.run(1_000);
      expect(place.home.client.status().state).toBe('qualified');
      place.heals();
    },
  },
  relay: {
    what: 'native hosts are not reached, Teredo peers are',
    run: () => {
      const place = new Place();
      expect(place.reachesNative()).toBe(true);
      place.set('relay');
      place.world.run(61_000);
      expect(place.reachesNative()).toBe(false);
      expect(place.hears(5)).toBe(5);
      place.heals();
      place.world.run(HEALED_MS);
      expect(place.reachesNative()).toBe(true);
    },
  },
  'relay-moved': {
    what: 'the website is reached through the other relay within 6 s',
    run: async () => {
      const whole = await Whole.start();
      const [first, second] = RELAYS.map(({ address }) => address);
      expect(await whole.relay(WEBSITE, 5_000)).toBe(first);
      await whole.set('relay-moved');
      expect(await whole.relay(WEBSITE, 6_000)).toBe(second);
      await whole.heal();
      // Both have proven themselves, so that the way there may be by the one and the way back by the other.
      expect(await whole.relay(WEBSITE, 6_000)).not.toBeNull();
    },
  },
  reboot: {
    what: 'the router is away for five seconds and has forgotten all; then all works again',
    run: () => {
      const place = new Place();
      happen('reboot', place.home.nat, 0);
      expect(place.hears(4)).toBe(0);
      place.heals();
    },
  },
  renumber: {
    what: 'the new address is noticed, and the Teredo address follows',
    run: () => {
      const place = new Place();
      const { address } = place.home;
      happen('renumber', place.home.nat, ip('198.51.100.101'));
      place.hears(HEALED_MS / 1_000);
      expect(formatIp4(place.home.client.status().mapped!.ip)).toBe('198.51.100.101');
      expect(place.home.address).not.toBe(address);
      place.heals();
    },
  },
};

describe('the faults of the built-in network', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const faults = Object.entries(FAULTS).map(([name, { text }]) => {
    const { what, run } = TRIED[name as FaultName];
    return { name, text, what, run };
  });

  test.each(faults)('$name: $what', async ({ run, text }) => {
    expect(text).toMatch(/\w+ \w+/);
    await run();
  });
});
