// Tests that the refresh interval determination (RFC 4380 §5.2.7) finds how long a NAT keeps a mapping, and no longer one.
import { describe, expect, test } from 'vitest';
import { NAT_KINDS } from '../../engine/sim/index.ts';
import { Home, World } from './world.ts';

const HOUR_MS = 3_600_000;

function search(timeoutMs: number, settings = {}): { home: Home; world: World; found: number[] } {
  const world = new World();
  const home = new Home(
    world,
    'home',
    '198.51.100.7',
    { ...NAT_KINDS.portRestricted, timeoutMs },
    { intervalSearch: true, ...settings },
  );
  home.start();
  world.run(HOUR_MS);
  const found = home.events.flatMap((event) => (event.kind === 'interval' ? [event.ms] : []));
  return { home, world, found };
}

describe('refresh interval determination', () => {
  test.each([
    [45, 30],
    [60, 45],
    [100, 75],
    [120, 90],
    [300, 90],
  ])(
    'a NAT that forgets after %i s: an interval of %i s or more, and never too long a one',
    (s, least) => {
      const { found } = search(s * 1000);
      const best = found.at(-1) ?? 30_000;
      expect(best).toBeGreaterThanOrEqual(least * 1000);
      expect(best).toBeLessThan(s * 1000);
      // §5.2.7: the maximum refresh interval is 120 s.
      expect(best).toBeLessThanOrEqual(120_000);
    },
  );

  test('the server is then asked no more often, and the mapping stays', () => {
    const { home, world, found } = search(300_000);
    const interval = found.at(-1)!;
    const { address } = home;
    let asked = 0;
    world.simulation.onTrace(({ kind, node, packet }) => {
      if (kind === 'send' && node === 'home' && packet.kind === 'udp') asked += 1;
    });
    world.run(HOUR_MS);
    // §5.2.5: each wait is drawn from 75 % to 100 % of the interval.
    expect(asked).toBeLessThanOrEqual(Math.ceil(HOUR_MS / (0.75 * interval)));
    expect(home.address).toBe(address);
    expect(home.client.status().state).toBe('qualified');
  });

  test('off, or with a server that falls silent, the interval stays 30 s', () => {
    expect(search(300_000, { intervalSearch: false }).found).toEqual([]);
    const world = new World();
    const settings = { intervalSearch: true };
    const home = new Home(world, 'home', '198.51.100.7', NAT_KINDS.portRestricted, settings);
    home.start();
    world.run(1_000);
    world.silenceServer();
    world.run(HOUR_MS);
    expect(home.events.filter((event) => event.kind === 'interval')).toEqual([]);
  });

  test('what is known of a network is used at once, and not looked for again', () => {
    const world = new World();
    const settings = { intervalSearch: true };
    const home = new Home(world, 'home', '198.51.100.7', NAT_KINDS.portRestricted, settings);
    home.input({ kind: 'network', networks: home.host.networks(), refreshIntervalMs: 90_000 });
    let ports = 0;
    const seen = new Set<number>();
    world.simulation.onTrace(({ kind, node, packet }) => {
      if (kind !== 'send' || node !== 'home' || packet.kind !== 'udp') return;
      if (!seen.has(packet.source.port)) ports += 1;
      seen.add(packet.source.port);
    });
    world.run(HOUR_MS);
    expect([ports, home.client.status().state]).toEqual([1, 'qualified']);
  });
});
