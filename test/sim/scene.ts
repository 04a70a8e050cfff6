// Makes two homes that talk with each other, for tests of what heals by itself.
import { NAT_KINDS } from '../../engine/sim/index.ts';
import { Home, World } from './world.ts';

export const RESTRICTED = NAT_KINDS.portRestricted;
/** Two lines of 5 ms either way and the ones in the home, looked at each 10 ms. */
export const ROUND_TRIP_MS = 40;
export interface Scene {
  readonly world: World;
  readonly first: Home;
  readonly second: Home;
}

/** Two qualified homes. */
export function scene(
  settings: { failoverMs?: number } = {},
  behaviour = RESTRICTED,
  ofSecond = RESTRICTED,
): Scene {
  const world = new World();
  const first = new Home(world, 'first', '198.51.100.7', behaviour, settings);
  const second = new Home(world, 'second', '203.0.113.9', ofSecond, settings);
  first.start();
  second.start();
  world.run(1_000);
  return { world, first, second };
}

/** Virtual ms until `done`, looked at each 10 ms; Infinity when `limit` goes by. */
export function msUntil(world: World, limit: number, done: () => boolean): number {
  for (let ms = 0; ms <= limit; ms += 10) {
    if (done()) return ms;
    world.run(10);
  }
  return Infinity;
}

/** Programs on both sides send to each other once a second. */
export function talk({ world, first, second }: Scene, seconds: number, tag = 1): void {
  for (let n = 0; n < seconds; n++) {
    first.send(second.address, tag);
    second.send(first.address, tag);
    world.run(1_000);
  }
}

/** Runs `act` now and each `ms` until the returned function is called. */
export function setEvery(world: World, ms: number, act: () => void): () => void {
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    act();
    world.simulation.after(ms, tick);
  };
  tick();
  return () => {
    stopped = true;
  };
}
