// Module healing/faults lists what can go wrong around a client, and does it to a home that talks with another.
import type { NatBehaviour } from '../../../engine/sim/index.ts';
import { NAT_KINDS } from '../../../engine/sim/index.ts';
import type { Lie } from '../random/lies.ts';
import type { Scene } from '../scene.ts';
import { ip, SERVER } from '../world.ts';

export type Relay = ReturnType<Scene['world']['addRelay']>;

/** One of them. */
export interface Fault {
  readonly name: string;
  /** How long it lasts, ms; 0: it happens, and is over. */
  readonly lastsMs: number;
  /** Lets it begin; what is returned ends it. */
  readonly begin: (scene: Scene, relays: readonly Relay[]) => (() => void) | undefined;
  readonly behaviour?: NatBehaviour;
  /** No program sends anything meanwhile. */
  readonly quiet?: boolean;
  /** The other end is a native host, behind two relays of which the first is nearer. */
  readonly native?: boolean;
  /** Programs send packets as large as the tunnel carries. */
  readonly large?: boolean;
  /** What was measured with the real program in network namespaces; empty: not tried there. */
  readonly lab: string;
}

const { carrier } = NAT_KINDS;
const MINUTE = 60_000;

/** What is over as soon as it happens. */
function happens(act: () => void): undefined {
  act();
}

const line =
  (conditions: Parameters<Scene['world']['serverLinks'][0]['line']['set']>[0]) =>
  ({ first }: Scene): (() => void) => {
    const { line: way } = first.nat!;
    const before = way.conditions('out');
    way.set(conditions);
    return () => way.set(before);
  };

const blocks =
  (blockedPorts: NatBehaviour['blockedPorts']) =>
  ({ first }: Scene): (() => void) => {
    first.nat!.setBehaviour({ blockedPorts });
    return () => first.nat!.setBehaviour({ blockedPorts: [] });
  };

const lies =
  (lie: Lie) =>
  ({ world }: Scene): (() => void) => {
    world.lies.tell(lie);
    return () => world.lies.tell(null);
  };

/** A login page: nothing passes, and what asks the server is answered by something else. */
function portal(scene: Scene): () => void {
  const { world, first } = scene;
  const open = blocks('all')(scene);
  const page = new TextEncoder().encode('HTTP/1.1 302 Found');
  const from = { ip: SERVER, port: 3_544 };
  const stop = world.simulation.onTrace(({ kind, node, packet }) => {
    if (kind !== 'send' || node !== 'first' || packet.kind !== 'udp') return;
    if (packet.destination.ip !== SERVER) return;
    world.simulation.after(20, () => first.input({ kind: 'datagram', from, bytes: page }));
  });
  return () => {
    stop();
    open();
  };
}

/** Each fault, in the order in which they are told of. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'The router restarts in 2 s, and maps as before',
    lastsMs: 0,
    begin: ({ first }) => happens(() => first.nat!.reboot(2_000)),
    lab: '',
  },
  {
    name: 'The router restarts in 2 s, and maps to another port',
    lastsMs: 0,
    behaviour: carrier,
    begin: ({ first }) => happens(() => first.nat!.reboot(2_000)),
    lab: '3.4 and 3.6 s',
  },
  {
    name: 'The provider gives the router another address',
    lastsMs: 0,
    begin: ({ first }) => happens(() => first.nat!.renumber([ip('198.51.100.77')])),
    lab: '',
  },
  {
    name: 'The PC moves to another network',
    lastsMs: 0,
    begin: ({ world, first }) =>
      happens(() => first.moveTo(world.addNat('hotel', '192.0.3.7', carrier), ip('10.9.0.5'))),
    lab: '0.2 to 0.8 s',
  },
  {
    name: 'The PC sleeps for a day, and the router forgets it',
    lastsMs: 24 * 60 * MINUTE,
    behaviour: carrier,
    quiet: true,
    begin: ({ first }) => {
      first.suspend(true);
      return () => {
        first.nat!.reboot();
        first.suspend(false);
      };
    },
    lab: '',
  },
  {
    name: 'The cable is pulled out',
    lastsMs: MINUTE,
    begin: ({ first }) => {
      first.link.setUp(false);
      return () => first.link.setUp(true);
    },
    lab: 'told after 0.2 s, healed 0.2 s after',
  },
  {
    name: 'The server is silent',
    lastsMs: 2 * MINUTE,
    begin: ({ world }) => {
      world.silenceServer();
      return () => world.silenceServer(false);
    },
    lab: 'told after 14.6 s, noticed 0.5 and 1.8 s after its return',
  },
  {
    name: 'The server names another origin than ours',
    lastsMs: 2 * MINUTE,
    begin: lies('wrongOrigin'),
    lab: '',
  },
  {
    name: 'The server names another prefix than its own',
    lastsMs: 2 * MINUTE,
    begin: lies('wrongPrefix'),
    lab: '',
  },
  {
    name: 'The server, or somebody in its place, repeats its first answer',
    lastsMs: 2 * MINUTE,
    begin: lies('replay'),
    lab: '',
  },
  {
    name: 'The relay falls silent, and the route leads to another',
    lastsMs: 0,
    native: true,
    begin: (_, relays) =>
      happens(() => {
        relays[0]!.line.set({ loss: 1 });
        relays[0]!.withdraw();
      }),
    lab: 'see `test/lab/relay.test.ts`',
  },
  { name: 'Three packets in ten are lost', lastsMs: MINUTE, begin: line({ loss: 0.3 }), lab: '' },
  {
    name: 'Three packets in ten come twice',
    lastsMs: MINUTE,
    begin: line({ duplicate: 0.3 }),
    lab: '',
  },
  {
    name: 'Three packets in ten are overtaken',
    lastsMs: MINUTE,
    begin: line({ reorder: 0.3, reorderMs: 200 }),
    lab: '',
  },
  {
    name: 'A path MTU of 1,300 whose fragments are lost; small packets',
    lastsMs: MINUTE,
    begin: line({ mtu: 1_300 }),
    lab: '',
  },
  {
    name: 'The same; packets of 1,280 bytes',
    lastsMs: MINUTE,
    large: true,
    begin: line({ mtu: 1_300 }),
    lab: '',
  },
  { name: 'A login page', lastsMs: 2 * MINUTE, begin: portal, lab: '' },
  { name: 'The network swallows all UDP', lastsMs: 2 * MINUTE, begin: blocks('all'), lab: '' },
  {
    name: 'The network blocks UDP port 3544',
    lastsMs: 2 * MINUTE,
    begin: blocks([3_544]),
    lab: 'told within 15 s at the start',
  },
];
