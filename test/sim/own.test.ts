// Looks at servers and relays that do one thing wrong, in the simulated Internet: each is named by the check that is about it.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { relayConfig } from '../../engine/relay/index.ts';
import { TeredoServer } from '../../engine/server/index.ts';
import type { ServerInput, ServerOutput, ServerSide } from '../../engine/server/index.ts';
import { BuiltInHost } from '../../engine/service/builtin/host.ts';
import { Pc } from '../../engine/service/builtin/programs.ts';
import {
  addNative,
  addRouter,
  buildWorld,
  homeNetwork,
  plug,
} from '../../engine/service/builtin/world.ts';
import type { World } from '../../engine/service/builtin/world.ts';
import { readSettings } from '../../engine/service/config.ts';
import type { OwnReport } from '../../engine/service/own/calls.ts';
import { OwnCheck } from '../../engine/service/own/own.ts';
import { simulateRelay } from '../../engine/service/simulated.ts';
import { Host } from '../../engine/sim/index.ts';
import type { NatKindName, Node6 } from '../../engine/sim/index.ts';
import {
  buildAdvertisement,
  buildDatagram,
  decodeTeredo,
  parseAdvertisement,
  parseDatagram,
  parseIp6,
  parseIp6Header,
  TEREDO_PORT,
  teredoPrefix,
} from '../../engine/wire/index.ts';
import { ip } from './world.ts';

const ADDRESSES = { primary: ip('192.0.2.1'), secondary: ip('192.0.2.2') };
const RELAY = '192.0.2.66';
const NATIVE = '2001:db8::80';

/** What a server does with its right answers: another instead, or none. `input` is what it answers. */
type Twist = (output: ServerOutput, input: ServerInput) => ServerOutput | null;
/** What else it does. */
type More = (input: ServerInput) => ServerOutput[];
type Transmit = Extract<ServerOutput, { kind: 'transmit' }>;

/** A server on both addresses that is right but for its `twist`. */
function addServer(world: World, twist: Twist, more: More): void {
  const { simulation, internet, native } = world;
  const host = new Host(simulation, 'server');
  for (const address of Object.values(ADDRESSES)) host.addInterface(internet, address);
  const node = native.attach('server', []);
  const server = new TeredoServer(ADDRESSES);
  const bind = (side: ServerSide) => host.bind(TEREDO_PORT, {}, ADDRESSES[side]);
  const sockets = { primary: bind('primary'), secondary: bind('secondary') };
  for (const arrivedOn of ['primary', 'secondary'] as const)
    sockets[arrivedOn].handlers = {
      onDatagram: (from, bytes) => {
        const input = { from, arrivedOn, bytes };
        const right = server.handleDatagram(input, simulation.now);
        const outputs = right.map((each) => twist(each, input)).filter((each) => each !== null);
        for (const output of [...outputs, ...more(input)])
          if (output.kind === 'native') node.send(output.bytes);
          else sockets[output.via].send(output.to, output.bytes);
      },
    };
}

/** A relay; `change` may put something else in the place of what it does. */
function addRelay(world: World, change: (host: Host, node: Node6) => void): void {
  const { simulation, internet, native } = world;
  const host = new Host(simulation, 'relay');
  host.addInterface(internet, ip(RELAY));
  const node = native.attach('relay', []);
  change(host, node);
  native.route(teredoPrefix(0), 32, node);
}

const rightRelay =
  ({ simulation }: World) =>
  (host: Host, node: Node6): void =>
    void simulateRelay(simulation, host, relayConfig({ address: parseIp6('2001:db8::66')! }), node);

interface Scene {
  readonly router?: NatKindName;
  readonly twist?: Twist;
  readonly more?: More;
  readonly relay?: (world: World) => (host: Host, node: Node6) => void;
}

/** Looks from a PC behind a router. */
async function look(scene: Scene): Promise<OwnReport> {
  const { router = 'portRestricted', more = () => [] } = scene;
  const twist: Twist = scene.twist ?? ((each) => each);
  const world = buildWorld(7);
  const { simulation } = world;
  addServer(world, twist, more);
  addRelay(world, (scene.relay ?? rightRelay)(world));
  addNative(world, { name: 'website', address: NATIVE, quiet: false });
  const access = {
    ...{ kind: router, router: 'router', public: '198.51.100.7' },
    ...homeNetwork('192.168.1'),
  };
  const home = new Host(simulation, 'PC');
  plug(world, home, access, addRouter(world, access));
  const host = new BuiltInHost({
    ...{ simulation, host: home, pace: { rearm: () => undefined } },
    pc: new Pc(simulation, [], { send: () => undefined, addressOf: () => null }),
    ...{ lookUp: () => undefined, lookUp6: () => null, gateway: () => null, lineUp: () => true },
  });
  const settings = readSettings({ defaults: [], overrides: { server: ['192.0.2.1'] } });
  const check = new OwnCheck({ host, settings, onChange: () => undefined });
  const reports: OwnReport[] = [];
  const asked = { server: '192.0.2.1', relay: RELAY, native: NATIVE };
  const done = check.look(asked).then((report) => reports.push(report));
  while (reports.length === 0) {
    // What waits for an answer goes on before time does.
    await turn();
    simulation.step();
  }
  await done;
  return reports[0]!;
}

/** Each check that is not good, and what it came to. */
const notGood = ({ checks }: OwnReport): Record<string, string> =>
  Object.fromEntries(
    checks.filter(({ result }) => result !== 'good').map(({ code, result }) => [code, result]),
  );

/** Changes the advertisements, and nothing else. */
function advertising(
  change: (
    parts: Parameters<typeof buildDatagram>[0],
    fields: Parameters<typeof buildAdvertisement>[0],
  ) => Parameters<typeof buildDatagram>[0],
): Twist {
  return (output) => {
    if (output.kind === 'native' || output.why !== 'advertisement') return output;
    const parsed = parseDatagram(output.bytes);
    const read = parsed.ok ? parseAdvertisement(parsed.value.packet) : null;
    if (!parsed.ok || !read?.ok) throw new Error('it is no advertisement');
    const { authentication, origin, packet } = parsed.value;
    const { mtu, ...fields } = read.value;
    const parts = { authentication: authentication!, origin: origin!, packet };
    return {
      ...output,
      bytes: buildDatagram(change(parts, { ...fields, ...(mtu !== null && { mtu }) })),
    };
  };
}

/** Changes what is forwarded to clients. */
const forwarding =
  (change: (output: Transmit) => ServerOutput | null): Twist =>
  (output) =>
    output.kind === 'transmit' && output.why === 'forward' ? change(output) : output;

/** Forwards whatever is addressed to a client, from whomever, with its origin. */
const anything: More = ({ from, bytes }) => {
  const parsed = parseDatagram(bytes);
  const client = parsed.ok ? decodeTeredo(parsed.value.header.destination) : undefined;
  if (!parsed.ok || !client) return [];
  const out = buildDatagram({ origin: from, packet: parsed.value.packet });
  return [{ kind: 'transmit', via: 'primary', to: client.client, bytes: out, why: 'forward' }];
};

/** Without bubbles: it sends straight to the address that is in the destination. */
const hastyRelay = () => (host: Host, node: Node6) => {
  const socket = host.bind(TEREDO_PORT, { onDatagram: (_, bytes) => node.send(bytes) });
  node.onPacket = (packet) => {
    const header = parseIp6Header(packet);
    const to = header.ok ? decodeTeredo(header.value.destination) : undefined;
    if (to) socket.send(to.client, packet);
  };
};

describe('a server', () => {
  test('that is right, behind every usual router', async () => {
    for (const router of ['portRestricted', 'restricted', 'cone', 'linux', 'carrier'] as const)
      expect([router, notGood(await look({ router }))]).toEqual([router, {}]);
  });

  test.each<[string, Scene, Record<string, string>]>([
    [
      'that gives the prefix of another',
      {
        twist: advertising((parts, fields) => ({
          ...parts,
          packet: buildAdvertisement({ ...fields, prefix: teredoPrefix(ip('203.0.113.1')) }),
        })),
      },
      { 'server-advertisement': 'bad' },
    ],
    [
      'that says an MTU which does not fit',
      {
        twist: advertising((parts, fields) => ({
          ...parts,
          packet: buildAdvertisement({ ...fields, mtu: 576 }),
        })),
      },
      { 'server-advertisement': 'bad' },
    ],
    [
      'that tells a private origin',
      {
        twist: advertising((parts) => ({
          ...parts,
          origin: { ip: ip('192.168.1.10'), port: 4000 },
        })),
      },
      { 'server-advertisement': 'bad' },
    ],
    [
      'that answers from the address which was asked',
      {
        twist: (output, { arrivedOn }) =>
          output.kind === 'transmit' && output.why === 'advertisement'
            ? { ...output, via: arrivedOn }
            : output,
      },
      { 'cone-answer': 'bad' },
    ],
    [
      'that answers nobody from its other address',
      {
        twist: (output, { arrivedOn }) =>
          output.kind === 'transmit' && output.via !== arrivedOn ? null : output,
      },
      { 'cone-answer': 'bad' },
    ],
    ['that passes data and forged bubbles on', { more: anything }, { 'server-refuses': 'bad' }],
  ])('%s', async (_, scene, expected) => {
    expect(notGood(await look(scene))).toMatchObject(expected);
    const { verdict } = await look(scene);
    expect(verdict).toMatchObject({ check: Object.keys(expected)[0] });
  });

  test('whose answers have no nonce, or no origin: no more is tried', async () => {
    const noNonce = await look({
      twist: advertising(({ origin, packet }) => ({ origin: origin!, packet })),
    });
    expect(noNonce.verdict).toMatchObject({ code: 'fails', check: 'server-advertisement' });
    expect(noNonce.verdict.text).toMatch(/no authentication/);
    const noOrigin = await look({
      twist: advertising(({ authentication, packet }) => ({
        authentication: authentication!,
        packet,
      })),
    });
    expect(noOrigin.verdict.text).toMatch(/from which address/);
    expect(notGood(noOrigin)).toMatchObject({
      'server-bubbles': 'unknown',
      'native-ping': 'unknown',
    });
  });

  test('that passes no bubbles on, or without saying from whom', async () => {
    const lost = await look({ twist: forwarding(() => null) });
    expect(lost.verdict).toMatchObject({ code: 'fails', check: 'server-bubbles' });
    // Relays need them, too.
    expect(notGood(lost)).toMatchObject({ 'server-refuses': 'unknown', 'native-ping': 'bad' });
    const unnamed = await look({
      twist: forwarding((output) => {
        const parsed = parseDatagram(output.bytes);
        return parsed.ok ? { ...output, bytes: parsed.value.packet.slice() } : null;
      }),
    });
    expect(unnamed.verdict.text).toMatch(/without saying from whom/);
  });

  test('that sends no pings to native IPv6', async () => {
    const { verdict } = await look({
      twist: (output) => (output.kind === 'native' ? null : output),
    });
    expect(verdict).toMatchObject({ code: 'partly', check: 'native-ping' });
  });
});

describe('a relay', () => {
  test('that sends its first packet without a bubble is heard behind a cone router alone, and named there', async () => {
    expect(notGood(await look({ relay: hastyRelay, router: 'cone' }))).toEqual({
      'relay-bubbles': 'bad',
    });
    expect((await look({ relay: hastyRelay })).verdict.check).toBe('native-ping');
  });

  test('that carries one way alone', async () => {
    const oneWay = (world: World) => (host: Host, node: Node6) => {
      rightRelay(world)(host, node);
      node.send = () => undefined;
    };
    expect(notGood(await look({ relay: oneWay }))).toEqual({ 'relay-carries': 'bad' });
  });
});
