// Module service/known-pcs remembers other PCs by name, tests the way to them, and notices when their address changed.
import type { ProbeHost } from '../host/probe-types.ts';
import { decodeTeredo, formatIp6, isUnicastPeer6, parseIp6 } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';
import type { Api, Status } from './api.ts';
import { ServiceError } from './errors.ts';
import type { KnownPc, pcCalls } from './pc-calls.ts';
import { hostName } from './settings-schema.ts';
import type { RememberedPc, StateStore } from './state-file.ts';

/** More than a client knows. */
const MOST_PEERS = 100_000;
const PING_MS = 10_000;
const MAX_PCS = 256;

export interface KnownPcsParts {
  readonly host: Pick<ProbeHost, 'resolve6'>;
  readonly state: StateStore;
  readonly service: { summary(): Omit<Status, 'peers'>; readonly api: Pick<Api, 'ping' | 'peers'> };
  readonly onChange: () => void;
}

type Offer = NonNullable<KnownPc['offer']>;

export class KnownPcs {
  private readonly parts: KnownPcsParts;
  private readonly offers = new Map<string, Offer>();
  private readonly testing = new Set<string>();

  constructor(parts: KnownPcsParts) {
    this.parts = parts;
  }

  /** The calls of service/pc-calls. */
  readonly api: Pick<Api, keyof typeof pcCalls> = {
    pcs: () => Promise.resolve(this.rows()),
    setPc: ({ name, target }) => this.set(name, target),
    renamePc: ({ name, to }) => new Promise((resolve) => resolve(this.rename(name, to))),
    forgetPc: ({ name }) => {
      const { pcs } = this.parts.state.value;
      const rest = pcs.filter((pc) => pc.name !== name);
      this.keep(rest);
      this.offers.delete(name);
      return Promise.resolve({ forgotten: rest.length < pcs.length });
    },
    testPc: ({ name }) => this.test(name),
    updatePc: async ({ name }) => {
      const offer = this.offers.get(name);
      if (!offer)
        throw new ServiceError('no-offer', `No other address of ${name} is known.`, { name });
      const pc = this.find(name);
      // A pasted address is replaced; a DNS name stays what it is.
      const target = parseIp6(pc.target) === undefined ? pc.target : offer.address;
      this.offers.delete(name);
      this.put({ ...pc, target, address: offer.address, test: null });
      return Promise.resolve(this.row(this.find(name)));
    },
    invitation: () => {
      const { address } = this.parts.service.summary();
      return Promise.resolve({ address, text: invitationText(address) });
    },
  };

  rows(): KnownPc[] {
    return this.parts.state.value.pcs.map((pc) => this.row(pc));
  }

  private async set(name: string, target: string): Promise<KnownPc> {
    const address = parseIp6(target);
    if (address !== undefined && !isUnicastPeer6(address))
      throw new ServiceError(
        'address-unusable',
        `${target} can be no PC’s address on the Internet.`,
        { target },
      );
    if (address === undefined && (!hostName.safeParse(target).success || !/[a-z]/i.test(target)))
      throw new ServiceError(
        'no-address-or-name',
        `${target} is neither an IPv6 address nor a DNS name.`,
        { target },
      );
    const { pcs } = this.parts.state.value;
    if (pcs.length >= MAX_PCS && !pcs.some((pc) => pc.name === name))
      throw new ServiceError('list-full', `There are ${MAX_PCS} PCs already; forget one first.`, {
        limit: MAX_PCS,
      });
    const given = address === undefined ? null : formatIp6(address);
    this.offers.delete(name);
    this.put({ name, target: given ?? target, address: given, test: null });
    if (given === null) await this.lookUp(this.find(name));
    return this.row(this.find(name));
  }

  private rename(name: string, to: string): KnownPc {
    const pc = this.find(name);
    const { pcs } = this.parts.state.value;
    if (to !== name && pcs.some((each) => each.name === to))
      throw new ServiceError('pc-exists', `There is a PC named ${to} already.`, { name: to });
    const offer = this.offers.get(name);
    this.offers.delete(name);
    if (offer) this.offers.set(to, offer);
    this.keep(pcs.map((each) => (each === pc ? { ...pc, name: to } : each)));
    return this.row(this.find(to));
  }

  /** Looks a name up; another address than before is offered. Null: it has none. */
  private async lookUp(pc: RememberedPc): Promise<string | null> {
    if (parseIp6(pc.target) !== undefined) return pc.address;
    const found = await this.parts.host.resolve6(pc.target).catch((): readonly Ip6[] => []);
    const addresses = found.filter(isUnicastPeer6).map(formatIp6);
    if (addresses.length === 0) return pc.address;
    if (pc.address === null) {
      this.put({ ...pc, address: addresses[0]! });
      return addresses[0]!;
    }
    if (addresses.includes(pc.address)) this.offers.delete(pc.name);
    else
      this.offers.set(pc.name, {
        ...{ address: addresses[0]!, code: 'name-moved' },
        text: `${pc.target} leads to ${addresses[0]!} now.`,
      });
    return pc.address;
  }

  private async test(name: string): Promise<KnownPc> {
    this.find(name);
    this.testing.add(name);
    this.parts.onChange();
    try {
      const address = await this.lookUp(this.find(name));
      const test =
        address === null
          ? {
              ...{ state: 'unreachable' as const, code: 'no-address', rttMs: null, path: null },
              text: `${this.find(name).target} has no IPv6 address just now: its owner may be offline.`,
            }
          : await this.ping(address);
      await this.lookAround(this.find(name));
      this.put({ ...this.find(name), test: { ...test, at: Date.now() } });
    } finally {
      this.testing.delete(name);
      this.parts.onChange();
    }
    return this.row(this.find(name));
  }

  private async ping(address: string): Promise<Omit<NonNullable<RememberedPc['test']>, 'at'>> {
    const { service } = this.parts;
    const result = await service.api.ping({ address, timeoutMs: PING_MS });
    if (result.ok) {
      const { rttMs, path } = result;
      const text = `It answers in ${Math.round(rttMs)} ms (${path}).`;
      return { state: 'reachable', code: 'answers', text, rttMs, path };
    }
    const { code } = result;
    const failed = {
      state: 'unreachable',
      code,
      text: result.text,
      rttMs: null,
      path: null,
    } as const;
    if (code === 'no-reply')
      return {
        ...{ ...failed, state: 'open' },
        text: 'The way is open; it answers no ping, as a PC that exposes nothing does.',
      };
    if (code === 'not-qualified')
      return {
        ...failed,
        text: `This PC itself has no Teredo address: ${service.summary().reason.text}`,
      };
    return failed;
  }

  /** A peer behind the same public IPv4 address, at another port, is most likely the same PC. */
  private async lookAround({ name, address }: RememberedPc): Promise<void> {
    const known = decoded(address);
    // Its name says more than a neighbour of its router.
    if (!known || this.offers.get(name)?.code === 'name-moved') return;
    for (const peer of await this.parts.service.api.peers({ limit: MOST_PEERS })) {
      const other = peer.trusted && peer.address !== address ? decoded(peer.address) : undefined;
      if (other?.client.ip !== known.client.ip) continue;
      this.offers.set(name, {
        ...{ address: peer.address, code: 'peer-moved' },
        text: `A PC behind the same router speaks with us from ${peer.address} now.`,
      });
    }
  }

  private row(pc: RememberedPc): KnownPc {
    const { name, target, address, test } = pc;
    return {
      ...{ name, target, address },
      kind: address === null ? 'unknown' : decoded(address) ? 'teredo' : 'native',
      state: test?.state ?? 'not-tested',
      code: test?.code ?? 'not-tested',
      text: test?.text ?? 'Not tested yet.',
      rttMs: test?.rttMs ?? null,
      path: test?.path ?? null,
      testing: this.testing.has(name),
      testedAt: test?.at ?? null,
      offer: this.offers.get(name) ?? null,
    };
  }

  private find(name: string): RememberedPc {
    const found = this.parts.state.value.pcs.find((pc) => pc.name === name);
    if (!found)
      throw new ServiceError('pc-unknown', `There is no PC named ${name}; see: shipworm pcs`, {
        name,
      });
    return found;
  }

  private put(pc: RememberedPc): void {
    const { pcs } = this.parts.state.value;
    const at = pcs.findIndex(({ name }) => name === pc.name);
    this.keep(at < 0 ? [...pcs, pc] : pcs.map((each, i) => (i === at ? pc : each)));
  }

  private keep(pcs: readonly RememberedPc[]): void {
    this.parts.state.update({ pcs });
    this.parts.onChange();
  }
}

function decoded(address: string | null): ReturnType<typeof decodeTeredo> {
  const ip = address === null ? undefined : parseIp6(address);
  return ip === undefined ? undefined : decodeTeredo(ip);
}

function invitationText(address: string | null): string {
  return [
    'Let us connect our two PCs directly.',
    '',
    '1. Install Shipworm and start it.',
    ...(address === null
      ? ['2. I will send you my address once I have one.']
      : [`2. Add my PC under "Known PCs", with this address: ${address}`]),
    '3. Send me the address that Shipworm shows you.',
    '4. Allow the program that we want to use. Nothing else can be reached.',
    '',
    'The address has my public IPv4 address inside, and may change when my router restarts.',
  ].join('\n');
}
