// Module lab/kit/lab builds a small Internet of network namespaces: two homes behind NATs, a server, a relay, a native host.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DelayLine } from './delay-line.ts';
import { natRules } from './nat.ts';
import type { NatKind } from './nat.ts';
import { ipBatch, pidsIn, Program, run } from './processes.ts';
import type { Result, RunOptions } from './processes.ts';

/*
 *   home 1   192.168.1.10 - nat1 198.51.100.7 --+
 *   home 2   192.168.2.10 - nat2 203.0.113.9 ---+-- core --- pub 192.0.2.1, 192.0.2.2 (server) -- IPv6 --+
 *                                               +----------- rel 203.0.114.3 (relay) -- 2001:db8::/64 -- v6 2001:db8::80
 */
export const SERVER = '192.0.2.1';
export const SERVER2 = '192.0.2.2';
export const RELAY = '203.0.114.3';
/** The native host; its way to Teredo is the relay. */
export const NATIVE = '2001:db8::80';

const SPACES = ['core', 'pub', 'rel', 'v6'] as const;
const OUTSIDES = ['198.51.100.7', '203.0.113.9'];
const PREFIX = 'shipworm-lab-';

/** A PC and its router. */
export interface Home {
  /** Namespace of the PC. */
  readonly space: string;
  readonly router: string;
  readonly outside: string;
  readonly gateway: string;
  readonly inside: string;
  /** Interface of the core towards this home. */
  readonly line: string;
}

/** Why the lab can't run here, or null. */
export function noLab(): string | null {
  if (process.getuid!() !== 0) return 'the lab needs root (network namespaces)';
  if (!existsSync('/dev/net/tun')) return 'this machine has no TUN device (/dev/net/tun)';
  return null;
}

/** Ends what still runs in the namespaces with `prefix` and removes them. */
function removeSpaces(prefix: string): void {
  const folder = '/run/netns';
  const spaces = existsSync(folder) ? readdirSync(folder) : [];
  for (const space of spaces.filter((name) => name.startsWith(prefix))) {
    for (const pid of pidsIn(space)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    spawnSync('ip', ['netns', 'del', space]);
  }
}

/** Removes what test processes left that were killed themselves. */
function removeAbandoned(): void {
  const folder = '/run/netns';
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names.filter((space) => space.startsWith(PREFIX))) {
    const owner = /^shipworm-lab-(\d+)-/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) removeSpaces(name);
  }
}

export class Lab {
  /** For files of the programs; everybody may enter it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'shipworm-lab-'));
  /** All homes, in order; two unless more were asked for. */
  readonly homes: readonly Home[];
  readonly home1: Home;
  readonly home2: Home;
  readonly core: string;
  readonly pub: string;
  readonly relay: string;
  readonly native: string;
  private readonly prefix = `${PREFIX}${process.pid}-${randomBytes(2).toString('hex')}-`;
  private readonly programs: Program[] = [];
  private readonly kept: Program[] = [];
  private readonly delayLine: DelayLine;
  private readonly onExit = (): void => this.remove();

  /** @param homeCount two or more */
  constructor(homeCount = 2) {
    const space = (name: string): string => this.prefix + name;
    this.homes = Array.from({ length: homeCount }, (_, i): Home => {
      const n = i + 1;
      const outside = OUTSIDES[i] ?? `198.51.${100 + n}.7`;
      return {
        space: space(`c${n}`),
        router: space(`nat${n}`),
        outside,
        gateway: outside.replace(/\d+$/, '254'),
        inside: `192.168.${n}.10`,
        line: `home${n}`,
      };
    });
    this.home1 = this.homes[0]!;
    this.home2 = this.homes[1]!;
    this.core = space('core');
    this.pub = space('pub');
    this.relay = space('rel');
    this.native = space('v6');
    chmodSync(this.folder, 0o755);
    removeAbandoned();
    process.once('exit', this.onExit);
    try {
      this.build();
    } catch (error) {
      this.onExit();
      throw error;
    }
    this.delayLine = new DelayLine(this.core, this.lines);
  }

  /** Starts a program that is ended with the lab at the latest. */
  start(space: string, command: string, args: readonly string[], env = {}): Program {
    const program = new Program(space, command, args, env);
    this.programs.push(program);
    return program;
  }

  run(
    space: string,
    command: string,
    args: readonly string[],
    options?: RunOptions,
  ): Promise<Result> {
    return run(space, command, args, options);
  }

  /** Replaces a home's router by one of another kind, which knows nothing of earlier connections. */
  setNat(home: Home, kind: NatKind): void {
    const { router, outside, gateway } = home;
    const rules = natRules(kind, home.inside);
    execFileSync('ip', ['netns', 'exec', router, 'nft', '-f', '-'], { input: rules });
    // A masquerading router forgets its connections when its address goes.
    ipBatch(
      [
        `addr del ${outside}/24 dev e0`,
        `addr add ${outside}/24 dev e0`,
        `route add default via ${gateway}`,
      ],
      router,
    );
  }

  /**
   * Puts another PC into the network of `home`, at the address that ends with `last`: the router's inside becomes a switch. Gives its
   * namespace.
   */
  addPc(home: Home, last: number): string {
    const { router, line } = home;
    const space = `${this.prefix}${line}-${last}`;
    const gateway = home.inside.replace(/10$/, '1');
    const lan = spawnSync('ip', ['-n', router, 'link', 'show', 'lan']);
    if (lan.status !== 0)
      ipBatch(
        [
          'link add lan type bridge',
          `addr del ${gateway}/24 dev in`,
          'link set in master lan',
          `addr add ${gateway}/24 dev lan`,
          'link set lan up',
        ],
        router,
      );
    ipBatch([
      `netns add ${space}`,
      `link add in${last} netns ${router} type veth peer name e0 netns ${space}`,
    ]);
    ipBatch([`link set in${last} master lan`, `link set in${last} up`], router);
    const own = home.inside.replace(/10$/, `${last}`);
    ipBatch(
      [
        'link set lo up',
        'link set e0 up',
        `addr add ${own}/24 dev e0`,
        `route add default via ${gateway}`,
      ],
      space,
    );
    return space;
  }

  /** Delay of the core each way, ms; 0: none, the kernel forwards. */
  setDelay(ms: number): Promise<void> {
    return this.delayLine.set(ms);
  }

  /** What runs now belongs to the lab until it is closed. */
  keep(): void {
    this.kept.push(...this.programs.splice(0));
  }

  /** Ends all programs that were not kept. */
  async stopPrograms(): Promise<void> {
    await Promise.all(this.programs.splice(0).map((program) => program.stop()));
  }

  async close(): Promise<void> {
    this.programs.push(...this.kept.splice(0));
    await this.stopPrograms();
    await this.delayLine.set(0);
    process.removeListener('exit', this.onExit);
    this.remove();
  }

  /** Interfaces of the core. */
  private get lines(): string[] {
    return ['server', 'relay', ...this.homes.map(({ line }) => line)];
  }

  private remove(): void {
    removeSpaces(this.prefix);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private build(): void {
    const { core, pub, relay, native, homes } = this;
    const link = (a: string, nameA: string, b: string, nameB: string): string =>
      `link add ${nameA} netns ${a} type veth peer name ${nameB} netns ${b}`;
    const sysctl = (space: string, ...settings: string[]): void =>
      void execFileSync('ip', ['netns', 'exec', space, 'sysctl', '-qw', ...settings]);
    const spaces = SPACES.map((name) => this.prefix + name);
    for (const home of homes) spaces.push(home.router, home.space);
    ipBatch(spaces.map((name) => `netns add ${name}`));
    // The first packets would wait for the end of duplicate address detection.
    for (const space of [pub, relay, native]) sysctl(space, 'net.ipv6.conf.default.accept_dad=0');
    ipBatch([
      link(core, 'server', pub, 'e0'),
      link(core, 'relay', relay, 'e0'),
      link(relay, 'six', native, 'e0'),
      link(pub, 'six', native, 'e1'),
      ...homes.flatMap((home) => [
        link(core, home.line, home.router, 'e0'),
        link(home.router, 'in', home.space, 'e0'),
      ]),
    ]);
    const configure = (space: string, devices: string[], lines: string[]): void =>
      ipBatch(
        [
          'link set lo up',
          ...devices.map((device) => `link set ${device} up`),
          ...lines.map((line) => line.replace(/ on (\S+)$/, ' dev $1 nodad')),
        ],
        space,
      );

    configure(core, this.lines, [
      'addr add 192.0.2.254/24 dev server',
      'addr add 203.0.114.254/24 dev relay',
      ...homes.map((home) => `addr add ${home.gateway}/24 dev ${home.line}`),
    ]);
    sysctl(core, 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0');
    // Miredo's server forwards the connectivity tests of its clients: it needs IPv6 of its own.
    sysctl(pub, 'net.ipv6.conf.all.forwarding=1');
    configure(
      pub,
      ['e0', 'six'],
      [
        `addr add ${SERVER}/24 dev e0`,
        `addr add ${SERVER2}/24 dev e0`,
        'route add default via 192.0.2.254',
        'addr add 2001:db8:0:1::1/64 on six',
        'route add 2001:db8::/32 via 2001:db8:0:1::80',
      ],
    );
    sysctl(relay, 'net.ipv6.conf.all.forwarding=1');
    configure(
      relay,
      ['e0', 'six'],
      [
        `addr add ${RELAY}/24 dev e0`,
        'route add default via 203.0.114.254',
        'addr add 2001:db8::1/64 on six',
      ],
    );
    configure(
      native,
      ['e0', 'e1'],
      [
        `addr add ${NATIVE}/64 on e0`,
        'addr add 2001:db8:0:1::80/64 on e1',
        'route add default via 2001:db8::1',
      ],
    );
    for (const home of homes) {
      const gateway = home.inside.replace(/10$/, '1');
      configure(
        home.router,
        ['e0', 'in'],
        [`addr add ${home.outside}/24 dev e0`, `addr add ${gateway}/24 dev in`],
      );
      sysctl(home.router, 'net.ipv4.ip_forward=1');
      configure(
        home.space,
        ['e0'],
        [`addr add ${home.inside}/24 dev e0`, `route add default via ${gateway}`],
      );
      this.setNat(home, 'restricted');
    }
  }
}
