// Module gate/dormancy decides whether the tunnel may be awake, whether anything needs it, and says why in one sentence.
import type {
  GateNetwork,
  GateOutput,
  GatePolicy,
  GateReason,
  GateSettings,
  GateState,
  WakeReason,
} from './types.ts';

/** After the first address: as long as the second server's answer may take to tell the kind of NAT, ms. */
const FIRST_LOOK_MS = 1_000;
/** A look for a domain controller serves for so long on one network, ms. */
const DOMAIN_VALID_MS = 600_000;
/** Without an answer to `discover` by then it is asked again; until then nothing wakes, ms. */
const DISCOVER_MS = 10_000;

const TEXTS: Record<GateReason, string> = {
  'switched-off': 'Teredo is switched off.',
  paused: 'Teredo is paused.',
  'policy-disabled': 'The policy of this machine switches Teredo off.',
  'policy-damaged':
    'The policy of this machine can’t be understood, so Teredo stays off; see: shipworm policy',
  'network-off': 'Teredo is switched off on this network.',
  'network-asks': 'This network is new: Teredo waits until it is switched on for it.',
  'native-ipv6': 'This network has IPv6 of its own, so Teredo is not needed.',
  'domain-controller':
    'This is a managed network (its domain controller answers), so Teredo stays off.',
  looking: 'Finding out whether this is a managed network.',
  'nothing-allowed': 'No application is allowed to use the tunnel.',
  'nothing-running': 'No allowed application uses the tunnel just now; the first packet wakes it.',
  'rules-damaged':
    'The file of rules was damaged and is kept aside: no application is allowed until it is allowed again.',
  'in-use': 'An allowed application uses the tunnel.',
  listening: 'A program that may be reached listens.',
  'first-address': 'Learning an address; then it sleeps.',
  'policy-qualified': 'The policy of this machine keeps the tunnel awake.',
  'everything-exposed': 'Every application is let through (--expose-all).',
};

const CODES: Record<WakeReason, GateReason> = {
  'first-address': 'first-address',
  'allowed-program': 'in-use',
  listener: 'listening',
  'policy-qualified': 'policy-qualified',
  'everything-exposed': 'everything-exposed',
};

const OFF: readonly GateReason[] = ['switched-off', 'policy-disabled', 'policy-damaged'];
const MANAGED: readonly GateReason[] = ['domain-controller', 'policy-disabled', 'policy-damaged'];

/** What the gate knows about need. */
export interface Need {
  readonly allowsSomething: boolean;
  readonly listeners: number;
  /** Asked only when nothing else keeps the tunnel awake. */
  readonly hasConnection: () => boolean;
}

export class Dormancy {
  private settings: GateSettings;
  private policy: GatePolicy = { state: 'default', defaultQualified: false, rules: [] };
  private network: GateNetwork | null = null;
  /** The network's name without its router, and with it once it was known. */
  private base: string | null | undefined;
  private router: string | null = null;
  private damaged: boolean;
  /** Undefined: not looked for on this network. */
  private domain: { readonly name: string | null; readonly at: number } | undefined;
  private askedAt = -Infinity;
  private firstAt: number | null = null;
  private usedAt = -Infinity;
  private awake = false;
  private told = '';

  constructor(settings: GateSettings, damaged: boolean) {
    this.settings = settings;
    this.damaged = damaged;
  }

  get isAwake(): boolean {
    return this.awake;
  }

  setSettings(settings: GateSettings): void {
    this.settings = settings;
  }

  setPolicy(policy: GatePolicy): void {
    this.policy = policy;
  }

  setNetwork(network: GateNetwork): void {
    const { id, base = id } = network;
    // A router that becomes known, or is not for a while, makes no other network; another router does.
    const known = id !== base;
    const same = base === this.base && (!known || this.router === null || this.router === id);
    if (!same) {
      this.domain = undefined;
      this.askedAt = -Infinity;
      this.router = null;
    }
    if (known) this.router = id;
    this.base = base;
    this.network = network;
  }

  setDomain(name: string | null, now: number): void {
    this.domain = { name, at: now };
  }

  /** The user has decided about rules again. */
  mended(): void {
    this.damaged = false;
  }

  qualified(now: number): void {
    this.firstAt ??= now;
  }

  used(now: number): void {
    this.usedAt = now;
  }

  /** Why the tunnel must not be awake whatever wants it; null when it may. */
  get forbidden(): GateReason | null {
    const { settings, policy, network } = this;
    if (policy.state === 'disabled') return 'policy-disabled';
    if (policy.state === 'damaged') return 'policy-damaged';
    if (!settings.on) return 'switched-off';
    if (settings.paused) return 'paused';
    if (network === null) return 'looking';
    const choice = settings.networks[network.id ?? ''] ?? settings.newNetworks;
    if (choice === 'off') return 'network-off';
    if (choice === 'ask') return 'network-asks';
    if (network.nativeIpv6 && !settings.evenWithNativeIpv6) return 'native-ipv6';
    if (this.staysOffWhenManaged && this.domain?.name != null) return 'domain-controller';
    return null;
  }

  /** Looks, wakes, sleeps and tells as it is due. */
  step(need: Need, now: number): GateOutput[] {
    const outputs: GateOutput[] = [];
    const forbidden = this.forbidden;
    // The address goes with it, and is learnt anew.
    if (forbidden !== null && OFF.includes(forbidden)) this.firstAt = null;
    const wanted = forbidden === null ? this.wanted(need, now) : null;
    const looking = wanted !== null && !this.awake && this.mustLook(now);
    // On another network nothing is sent before it is known whose it is.
    const lost = this.awake && this.staysOffWhenManaged && this.domain === undefined;
    if ((looking || lost) && now - this.askedAt >= DISCOVER_MS) {
      this.askedAt = now;
      outputs.push({ kind: 'discover' });
    }
    if (this.awake && (wanted === null || lost)) {
      this.awake = false;
      outputs.push({ kind: 'sleep', brief: wanted !== null });
    } else if (!this.awake && wanted !== null && !looking) {
      this.awake = true;
      outputs.push({ kind: 'wake', why: wanted });
    }
    const state = this.stateOf(forbidden, wanted, looking || lost, need);
    if (`${state.name} ${state.code}` !== this.told) {
      this.told = `${state.name} ${state.code}`;
      outputs.push({ kind: 'state', state });
    }
    return outputs;
  }

  /** When `step` may have something to do by itself. */
  nextAt(now: number): number {
    const times = [this.usedAt + this.settings.sleepAfterMs, this.askedAt + DISCOVER_MS];
    if (this.firstAt !== null) times.push(this.firstAt + FIRST_LOOK_MS);
    return Math.min(...times.filter((at) => at > now), Infinity);
  }

  private get staysOffWhenManaged(): boolean {
    return this.policy.state !== 'enterprise-client';
  }

  private mustLook(now: number): boolean {
    if (!this.staysOffWhenManaged) return false;
    return this.domain === undefined || now - this.domain.at > DOMAIN_VALID_MS;
  }

  private wanted(need: Need, now: number): WakeReason | null {
    if (this.settings.exposeAll) return 'everything-exposed';
    if (this.policy.defaultQualified) return 'policy-qualified';
    if (need.listeners > 0) return 'listener';
    if (now - this.usedAt < this.settings.sleepAfterMs) return 'allowed-program';
    if (this.awake && need.hasConnection()) {
      this.usedAt = now;
      return 'allowed-program';
    }
    if (this.firstAt === null || now - this.firstAt < FIRST_LOOK_MS) return 'first-address';
    return null;
  }

  private stateOf(
    forbidden: GateReason | null,
    wanted: WakeReason | null,
    looking: boolean,
    need: Need,
  ): GateState {
    let name: GateState['name'] = 'dormant';
    let code: GateReason;
    if (forbidden !== null) {
      code = forbidden;
      if (forbidden === 'native-ipv6') name = 'unneeded';
      else if (MANAGED.includes(forbidden)) name = 'managed';
      else if (forbidden !== 'looking') name = 'off';
    } else if (looking) code = 'looking';
    else if (wanted !== null) {
      name = 'awake';
      code = CODES[wanted];
    } else if (this.damaged) code = 'rules-damaged';
    else code = need.allowsSomething ? 'nothing-running' : 'nothing-allowed';
    return { name, code, text: TEXTS[code] };
  }
}
