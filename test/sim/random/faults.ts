// Module random/faults puts the faults of a random network on and takes them off again.
import type {
  Host,
  Interface,
  SeededRandom,
  Simulation,
  TraceEvent,
} from '../../../engine/sim/index.ts';
import { parseIp4, TEREDO_PORT } from '../../../engine/wire/index.ts';
import type { Ip4 } from '../../../engine/wire/index.ts';
import type { RandomHome } from './home.ts';
import type { Hostiles } from './hostiles.ts';
import { LyingServer } from './lies.ts';
import { Violation } from './rule-list.ts';
import type { Watch } from './rules.ts';
import type { Step } from './scenario.ts';

const ip = (text: string): Ip4 => parseIp4(text)!;
/** See the rule `wakes`. */
const WAKES_MS = 100;
const LONGEST_QUIET_MS = 125_000;

/** What the faults are about. */
export interface Stage {
  readonly simulation: Simulation;
  readonly homes: readonly RandomHome[];
  readonly hostiles: Hostiles;
  readonly watch: Watch;
  readonly random: SeededRandom;
  readonly serverLinks: readonly Interface[];
  readonly relayLinks: readonly Interface[];
}

export class Faults {
  readonly lies: LyingServer;
  private readonly stage: Stage;
  /** How many sleeps of a home there are at once, and since when. */
  private readonly sleeps = new Map<string, { readonly depth: number; readonly since: number }>();
  /** Homes with a login page before them. */
  private readonly portals = new Map<string, boolean>();

  /** @param server the host on which the server is going to run */
  constructor(stage: Stage, server: Host) {
    this.stage = stage;
    this.lies = new LyingServer(server);
    stage.simulation.onTrace((event) => this.answerForServer(event));
  }

  /** The fault of `step` begins, or ends. */
  set(step: Step & { kind: 'fault' }, on: boolean): void {
    const { homes, serverLinks, relayLinks } = this.stage;
    const home = homes[step.home]!;
    const normal = home.spec.line;
    switch (step.fault) {
      case 'serverSilent':
        for (const { line } of serverLinks) line.set({ loss: on ? 1 : 0 });
        break;
      case 'secondarySilent':
        serverLinks[1]!.line.set({ loss: on ? 1 : 0 });
        break;
      case 'linkDown':
        if (home.nat) home.line.up = !on;
        else home.setDown('linkDown', on);
        break;
      case 'lossy':
        home.line.set({ loss: on ? 0.3 : (normal.loss ?? 0) });
        break;
      case 'slow':
        home.line.set({ delayMs: on ? 900 : (normal.delayMs ?? 5) });
        break;
      case 'natReboot':
        if (on) home.nat?.reboot(step.until - step.at);
        break;
      case 'natRenumber':
        if (on) home.nat?.renumber([ip(`198.51.100.${100 + step.home + (step.at % 20) * 5}`)]);
        break;
      case 'blocked3544':
        home.nat?.setBehaviour({ blockedPorts: on ? [3_544] : [] });
        break;
      case 'relayDead':
        relayLinks[0]?.line.set({ loss: on ? 1 : 0 });
        break;
      case 'interfaceDown':
        home.link.setUp(!on);
        break;
      case 'sendFails':
        home.host.sendFails = on;
        break;
      case 'asleep':
        this.sleep(home, on);
        break;
      case 'portal':
        home.setDown('portal', on);
        this.portals.set(home.name, on);
        break;
      case 'wrongOrigin':
      case 'wrongPrefix':
      case 'replay':
        this.lies.tell(on ? step.fault : null);
        break;
    }
  }

  /** Sleeps may overlap; whoever slept through a refresh asks its server at once when the last of them ends. */
  private sleep(home: RandomHome, on: boolean): void {
    const { simulation, watch } = this.stage;
    const { name, host, link } = home;
    const at = simulation.now;
    const { depth, since } = this.sleeps.get(name) ?? { depth: 0, since: 0 };
    this.sleeps.set(name, { depth: depth + (on ? 1 : -1), since: depth === 0 ? at : since });
    if (depth !== (on ? 0 : 1)) return;
    if (on) {
      home.sleep(true);
      watch.noteSleep(name);
      return;
    }
    watch.noteWake(name);
    home.sleep(false);
    if (at - since < LONGEST_QUIET_MS || home.client.status().state === 'off') return;
    simulation.after(WAKES_MS, () => {
      const stopped = host.sendFails || !link.up || home.isAsleep;
      if (!stopped && watch.lastQuestion(name) < at)
        throw new Violation(
          'wakes',
          simulation.now,
          `${name} slept ${at - since} ms and asked nobody for ${WAKES_MS} ms`,
        );
    });
  }

  /** A login page stands before `node`: what it asks a server is answered by something else. */
  private answerForServer({ kind, node, packet }: TraceEvent): void {
    if (kind !== 'send' || packet.kind !== 'udp' || !this.portals.get(node)) return;
    if (packet.destination.port !== TEREDO_PORT) return;
    const { homes, simulation, hostiles, random } = this.stage;
    const home = homes.find(({ name }) => name === node)!;
    const bytes = random.bytes(200);
    simulation.after(20, () => {
      if (this.portals.get(node) && !home.isAsleep)
        hostiles.answer(home.host, { from: packet.destination, to: packet.source, bytes });
    });
  }
}
