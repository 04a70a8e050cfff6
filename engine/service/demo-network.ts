// Module service/demo-network builds the small Internet of the demo: two homes behind NATs, a server, a relay, a native host.
import type { Interface, Nat, Simulation } from '../sim/index.ts';
import {
  addHome,
  addNative,
  addRelay,
  addServer,
  buildWorld,
  homeNetwork,
} from './builtin/world.ts';
import type { AccessKind } from './builtin/places.ts';
import type { SimulatedClient } from './simulated.ts';

/** Who is who. The names stand in the trace, too. */
export const CAST = {
  you: { name: 'Your PC', router: 'Your router' },
  friend: { name: 'Friend', router: 'Friend’s router' },
  server: 'Server',
  relay: 'Relay',
  website: 'Website',
} as const;

/** Addresses for documentation only (RFC 5737, RFC 3849): they belong to nobody. */
export const PLACES = {
  server: '192.0.2.1',
  server2: '192.0.2.2',
  relay: '192.0.2.66',
  website: '2001:db8::80',
  you: { public: '198.51.100.7', ...homeNetwork('192.168.1') },
  friend: { public: '203.0.113.9', ...homeNetwork('10.0.0') },
} as const;
const PORTS = { you: 50_114, friend: 61_007 } as const;

export interface DemoNetwork {
  readonly simulation: Simulation;
  readonly you: SimulatedClient;
  readonly friend: SimulatedClient;
  readonly router: Nat | null;
  /** The server's two. */
  readonly server: readonly Interface[];
}

/** Builds it; nothing moves until the simulation is run. The same `seed` gives the same packets. */
export function buildDemoNetwork(seed: number, kind: AccessKind = 'portRestricted'): DemoNetwork {
  const world = buildWorld(seed);
  addNative(world, { name: CAST.website, address: PLACES.website, quiet: false });
  const server = addServer(world, {
    name: CAST.server,
    primary: PLACES.server,
    secondary: PLACES.server2,
  });
  addRelay(world, { name: CAST.relay, address: PLACES.relay, native: '2001:db8::66' }).serve();
  const home = (who: 'you' | 'friend', access: AccessKind) =>
    addHome(world, {
      name: CAST[who].name,
      access: { kind: access, router: CAST[who].router, ...PLACES[who] },
      port: PORTS[who],
      server: PLACES.server,
    });
  const you = home('you', kind);
  return {
    simulation: world.simulation,
    you: you.client,
    friend: home('friend', 'portRestricted').client,
    router: you.router,
    server,
  };
}
