// Module service/network-memory names networks, so that what was chosen and found on one is remembered there.
import type { GateNetwork, NetworkChoice } from '../gate/index.ts';
import type { NetworkState } from '../host/types.ts';
import { formatIp4 } from '../wire/index.ts';
import type { Remembered, StateStore } from './state-file.ts';

export interface NetworkNames {
  /** Prefixes, search suffixes, and the routers' link addresses: two homes have the same ones before, but not the same router. */
  readonly id: string;
  /** The same without routers; equal to `id` while they are not known, or where there are none. */
  readonly base: string;
  /** The name that earlier versions gave it: with this PC's own address, without routers. */
  readonly former: string;
}

type Around = Pick<NetworkState, 'networks' | 'suffixes' | 'routers'>;
type Memory = Pick<Remembered, 'networks' | 'intervals'>;

/** Null: there is no network. */
function networkNames({ networks, suffixes, routers }: Around): NetworkNames | null {
  if (networks.length === 0) return null;
  const name = (address: (ip: number, prefix: number) => number): string =>
    [
      ...networks
        .map((each) => `${formatIp4(address(each.address, each.prefix))}/${each.prefix}`)
        .sort(),
      ...suffixes,
    ].join(' ');
  const base = name((ip, prefix) => (prefix === 0 ? 0 : (ip & (~0 << (32 - prefix))) >>> 0));
  const id = routers && routers.length > 0 ? `${base} via ${routers.join(' ')}` : base;
  return { id, base, former: name((ip) => ip) };
}

/** What was remembered under another name of this network, under its full one; null when nothing was. */
export function renamed(memory: Memory, { id, base, former }: NetworkNames): Memory | null {
  const others = [former, base].filter((name) => name !== id);
  if (id === base || !others.some((name) => name in memory.networks || name in memory.intervals))
    return null;
  const move = <T>(all: Readonly<Record<string, T>>): Record<string, T> => {
    const rest = Object.entries(all).filter(([name]) => !others.includes(name));
    // What was chosen while the router was not known yet is newer than what is remembered of it.
    const value = all[base] ?? all[id] ?? all[former];
    return { ...Object.fromEntries(rest), ...(value !== undefined && { [id]: value }) };
  };
  return { networks: move(memory.networks), intervals: move(memory.intervals) };
}

const STRICTEST: readonly NetworkChoice[] = ['off', 'ask', 'on'];

/** What was chosen here. While the router is not known it is the strictest of what was chosen where it could be. */
function choiceHere(
  networks: Memory['networks'],
  { id, base, former }: NetworkNames,
): NetworkChoice | undefined {
  if (id !== base) return networks[id];
  const here = Object.entries(networks)
    .filter(([name]) => name === base || name === former || name.startsWith(`${base} via `))
    .map(([, choice]) => choice);
  return STRICTEST.find((choice) => here.includes(choice));
}

const NOWHERE: NetworkState = {
  networks: [],
  nativeIpv6: false,
  ipv4: false,
  route: '',
  routers: [],
  suffixes: [],
};

/** The network that this PC is on, and what is remembered of it. */
export class NetworkMemory {
  around = NOWHERE;
  private names: NetworkNames | null = null;
  private readonly state: StateStore;

  constructor(state: StateStore) {
    this.state = state;
  }

  get id(): string | null {
    return this.names?.id ?? null;
  }

  take(around: NetworkState): void {
    this.around = around;
    this.names = networkNames(around);
    const change = this.names && renamed(this.state.value, this.names);
    if (change) this.state.note(change);
  }

  chosen(): NetworkChoice | undefined {
    return this.names ? choiceHere(this.state.value.networks, this.names) : undefined;
  }

  /** Remembers `choice` for the network `id`, or forgets what was chosen there. False where there is none to choose for. */
  choose(choice: NetworkChoice | 'forget', id: string | null = this.id): boolean {
    const { networks } = this.state.value;
    if (id === null || (id !== this.id && !(id in networks))) return false;
    const whole = choice === 'forget' && id === this.id ? this.names : null;
    const names = whole ? [whole.id, whole.base, whole.former] : [id];
    const rest = Object.entries(networks).filter(([name]) => !names.includes(name));
    const chosen = choice === 'forget' ? [] : [[id, choice] as const];
    this.state.update({ networks: Object.fromEntries([...rest, ...chosen]) });
    return true;
  }

  /** Every network for which something was chosen. */
  remembered(): { id: string; choice: NetworkChoice }[] {
    return Object.entries(this.state.value.networks).map(([id, choice]) => ({ id, choice }));
  }

  /** What the gate has to know of choices: the one for here. */
  choices(): Record<string, NetworkChoice> {
    const choice = this.chosen();
    return this.id !== null && choice !== undefined ? { [this.id]: choice } : {};
  }

  forGate(): GateNetwork {
    const { nativeIpv6 } = this.around;
    return { id: this.id, base: this.names?.base ?? null, nativeIpv6 };
  }
}
