// Module lab/kit/programs starts Shipworm and Miredo in the lab.
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type {
  CallName,
  CallResult,
  Params,
  RelayStatus,
  Status,
} from '../../../engine/service/api.ts';
import { callService, callStatus } from '../../../engine/service/control-client.ts';
import { SERVER, SERVER2 } from './lab.ts';
import type { Home, Lab } from './lab.ts';
import { eventually, pidsIn } from './processes.ts';
import type { Program, Result } from './processes.ts';
import { execFileSync } from 'node:child_process';

/** The command; a sanitized build is run by a wrapper of it. */
export const SHIPWORM = resolve(process.env['SHIPWORM_TEST_COMMAND'] ?? 'bin/shipworm');
/** Rules about memory and wake-ups hold: a sanitizer keeps what was freed, a shadow of everything, and may have a thread of its own. */
export const PLAIN_BUILD = process.env['SHIPWORM_TEST_COMMAND'] === undefined;
/** Three times what the protocol may take: a lab machine has other work. A time-out of the protocol is 4 s. A sanitized build takes longer still. */
export const SLOW = 3 * Number(process.env['SHIPWORM_TEST_SLOW'] ?? 1);
/** First answer of the server, doubled by a lost packet, three times over. */
export const QUALIFIED_MS = 4_000 * SLOW;

/** Folders of one Shipworm installation in the lab. */
export class Place {
  readonly env: Readonly<Record<string, string>>;
  readonly control: string;
  readonly config: string;

  /** `uid`: whose folders they are. */
  constructor(lab: Lab, name: string, uid = 0) {
    const folder = join(lab.folder, name);
    rmSync(folder, { recursive: true, force: true });
    const make = (part: string, mode = 0o755): string => {
      const path = join(folder, part);
      mkdirSync(path, { recursive: true });
      chownSync(path, uid, uid);
      chmodSync(path, mode);
      return path;
    };
    this.env = {
      XDG_RUNTIME_DIR: make('run'),
      // A client that root starts becomes somebody else before it writes there.
      XDG_STATE_HOME: make('state', 0o777),
      XDG_CONFIG_HOME: make('config'),
    };
    this.control = join(folder, 'run', 'shipworm', 'control.sock');
    this.config = join(folder, 'config', 'config.json');
  }
}

/** A running `shipworm client`. */
export class Shipworm {
  readonly lab: Lab;
  readonly home: Home;
  readonly place: Place;
  readonly program: Program;

  constructor(lab: Lab, home: Home, place: Place, program: Program) {
    this.lab = lab;
    this.home = home;
    this.place = place;
    this.program = program;
  }

  call<C extends CallName>(call: C, params: Params<C>): Promise<CallResult<C>> {
    return callService([this.place.control], call, params, 15_000);
  }

  status(): Promise<Status> {
    return this.call('status', {});
  }

  /** Runs a `shipworm` verb that asks this client. */
  cli(...args: string[]): Promise<Result> {
    return this.lab.run(this.home.space, SHIPWORM, [...args, '--control', this.place.control]);
  }

  /** Waits until `status` is as wanted. */
  async becomes(what: string, ms: number, wanted: (status: Status) => boolean): Promise<Status> {
    let last: Status | undefined;
    try {
      return await eventually(what, ms, async () => {
        if (this.program.ending) throw new Error('it has ended');
        last = await this.status().catch(() => undefined);
        return last && wanted(last) ? last : null;
      });
    } catch (error) {
      throw new Error(
        `${(error as Error).message}; status ${JSON.stringify(last)}; log ${this.program.err}`,
        { cause: error },
      );
    }
  }

  /** The address, once it was given and is on the adapter; a client that nobody needs may be asleep by then. */
  async address(): Promise<string> {
    const { address } = await this.becomes(
      'an address',
      QUALIFIED_MS,
      ({ state, address: given }) =>
        (state === 'qualified' || state === 'dormant') &&
        given !== null &&
        hasAddress(this.home.space, given),
    );
    return address!;
  }
}

function hasAddress(space: string, address: string): boolean {
  return execFileSync('ip', ['-n', space, '-6', 'addr', 'show'], { encoding: 'utf8' }).includes(
    `${address}/`,
  );
}

let places = 0;

/** Starts `shipworm client` as root in `home`, with folders of its own, and `env` besides. */
export function startShipworm(
  lab: Lab,
  home: Home,
  args: readonly string[] = [],
  server = SERVER,
  env: Readonly<Record<string, string>> = {},
): Shipworm {
  const place = new Place(lab, `shipworm${places++}`);
  const program = lab.start(home.space, SHIPWORM, ['client', '--server', server, ...args], {
    ...place.env,
    ...env,
  });
  return new Shipworm(lab, home, place, program);
}

/** A running `shipworm relay`. */
export interface RelayProgram {
  readonly place: Place;
  readonly program: Program;
  status(): Promise<RelayStatus>;
  /** Runs a `shipworm` verb that asks this relay. */
  cli(...args: string[]): Promise<Result>;
}

/** Starts `shipworm relay` as root in `space`; resolves once it relays. */
export async function startRelay(
  lab: Lab,
  space: string,
  args: readonly string[] = [],
): Promise<RelayProgram> {
  const place = new Place(lab, `relay${places++}`);
  const program = lab.start(space, SHIPWORM, ['relay', ...args], place.env);
  await program.says(/Relaying for /, 5_000 * SLOW);
  return {
    place,
    program,
    status: async () => (await callStatus([place.control])) as RelayStatus,
    cli: (...verb) => lab.run(space, SHIPWORM, [...verb, '--control', place.control]),
  };
}

/**
 * What a client left in `home`: addresses, routes, devices, firewall tables, processes and its control socket. Empty when all is clean.
 * The processes `staying` belong there.
 */
export function leftovers(home: Home, place?: Place, staying: readonly number[] = []): string[] {
  const ip = (...args: string[]): string[] =>
    execFileSync('ip', ['-n', home.space, '-o', ...args], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line !== '');
  const found = [
    ...ip('link', 'show').filter((line) => !/^\d+: (lo|e0@)/.test(line)),
    ...ip('-6', 'addr', 'show', 'scope', 'global'),
    ...ip('-6', 'route', 'show').filter((line) => !line.startsWith('fe80::/64 dev e0')),
    ...ip('-6', 'rule', 'show').filter((line) => !/^(0|32766):/.test(line)),
    ...execFileSync('ip', ['netns', 'exec', home.space, 'nft', 'list', 'tables'], {
      encoding: 'utf8',
    })
      .split('\n')
      .filter((line) => line.includes(' shipworm')),
    ...pidsIn(home.space)
      .filter((pid) => !staying.includes(pid))
      .map((pid) => `process ${pid}`),
  ];
  if (place && existsSync(place.control)) found.push(place.control);
  return found;
}

/** Fails unless `home` is clean within three seconds, on a slow machine nine. */
export async function leavesNothing(
  home: Home,
  place?: Place,
  staying: readonly number[] = [],
): Promise<void> {
  let found: string[] = [];
  await eventually('nothing is left', 3_000 * SLOW, () => {
    found = leftovers(home, place, staying);
    return found.length === 0;
  }).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}: ${found.join('; ')}`);
  });
}

// ---- Miredo

function startMiredo(
  lab: Lab,
  space: string,
  binary: string,
  name: string,
  lines: readonly string[],
): Program {
  const file = join(lab.folder, `${name}.conf`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return lab.start(space, binary, ['-f', '-c', file, '-p', join(lab.folder, `${name}.pid`)]);
}

const listens = (space: string, port: number): boolean =>
  execFileSync('ip', ['netns', 'exec', space, 'cat', '/proc/net/udp'], {
    encoding: 'utf8',
  }).includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `);

/** miredo-server on both addresses; ready when it listens. */
export async function startMiredoServer(lab: Lab): Promise<Program> {
  const server = startMiredo(lab, lab.pub, 'miredo-server', 'server', [
    `ServerBindAddress ${SERVER}`,
    `ServerBindAddress2 ${SERVER2}`,
  ]);
  await eventually('miredo-server listens', 5_000 * SLOW, () => listens(lab.pub, 3544));
  return server;
}

/** Miredo as the relay of the native side. */
export async function startMiredoRelay(lab: Lab): Promise<Program> {
  const relay = startMiredo(lab, lab.relay, 'miredo', 'relay', [
    'RelayType relay',
    'InterfaceName teredo',
    'BindPort 3545',
  ]);
  await eventually('the relay listens', 5_000 * SLOW, () => listens(lab.relay, 3545));
  return relay;
}

/** A running Miredo client. */
export interface MiredoClient {
  readonly program: Program;
  /** Its address, once it has one. */
  address(): Promise<string>;
}

export function startMiredoClient(lab: Lab, home: Home): MiredoClient {
  const program = startMiredo(lab, home.space, 'miredo', `client-${home.line}`, [
    'RelayType client',
    `ServerAddress ${SERVER}`,
    'InterfaceName teredo',
  ]);
  const address = (): Promise<string> =>
    eventually('Miredo has an address', QUALIFIED_MS, () => {
      const text = execFileSync('ip', ['-n', home.space, '-6', 'addr', 'show', 'scope', 'global'], {
        encoding: 'utf8',
      });
      return /inet6 (2001:0?:[0-9a-f:]+)\//.exec(text)?.[1];
    });
  return { program, address };
}
