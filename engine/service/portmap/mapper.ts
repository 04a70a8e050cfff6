// Module portmap/mapper keeps the tunnel's port mapped while it is awake: asked for before the first packet, renewed, given back.
import { told } from '../told.ts';
import type { ProbeHost } from '../../host/probe-types.ts';
import { formatEndpoint } from '../../wire/index.ts';
import type { Endpoint } from '../../wire/index.ts';
import type { LogEntry } from '../log.ts';
import { Router } from './router.ts';
import type { PortMappingState } from './state.ts';
import type { Lease, Method } from './router.ts';

/** A router that is willing answers within this time, ms; on a network that has none, only the first wake waits for it. */
const FIRST_MS = 3_000;
const KNOWN_MS = 1_000;
/** Giving it back at the end takes so long at most, ms. */
const LEAVE_MS = 700;
/** A lease is renewed at half its time (RFC 6886 §3.3, RFC 6887 §11.2.1), a lost one asked for again after this, ms. */
const RETRY_MS = 60_000;
/** A sign that the router forgot us makes us ask anew, but not sooner than this after the last time, ms. */
const CHECK_MS = 10_000;

export interface MapperHooks {
  readonly log: (entry: LogEntry) => void;
  readonly onChange: () => void;
  /** The mapping is another one, so that the server sees us elsewhere. */
  readonly onMoved: (external: Endpoint | null) => void;
}

const NAMES: Record<Method, string> = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', upnp: 'UPnP-IGD' };

/** `moved`: the router's mapping is another one. */
export function mapperFor(
  host: ProbeHost,
  hooks: { readonly log: (entry: LogEntry) => void; readonly onChange?: () => void },
  moved: (external: Endpoint | null) => void,
): PortMapper {
  const { log, onChange } = hooks;
  return new PortMapper(host, { log, onChange: () => onChange?.(), onMoved: moved });
}

/** One for a client. Nothing is asked of a router before `open`. */
export class PortMapper {
  private readonly host: ProbeHost;
  private readonly hooks: MapperHooks;
  private router: Router;
  private lease: Lease | null = null;
  private port: number | null = null;
  private asking = false;
  private askedAt = -Infinity;
  private wanted = 0;
  /** Networks by their gateways, and whether a router there gave a port. */
  private readonly known = new Map<string, boolean>();
  private cancel: () => void = () => undefined;

  constructor(host: ProbeHost, hooks: MapperHooks) {
    this.host = host;
    this.hooks = hooks;
    this.router = new Router(host);
  }

  /**
   * Asks for `port`. Resolves when it is given, or soon when there is nobody to give it: a way that was used before would keep its
   * old port. Never rejects.
   */
  async open(port: number): Promise<Endpoint | null> {
    const where = this.host.gateways().join();
    this.port = port;
    // Not the same one: routers that leave the way out alone where ports are equal translate it, too, where they differ.
    if (this.wanted === 0) this.wanted = port < 65_535 ? port + 1 : port - 1;
    const work = this.ask(this.known.has(where) ? KNOWN_MS : FIRST_MS);
    // Where nobody gave one before it is asked beside.
    if (this.known.get(where) !== false) await work;
    void work.then(() => this.known.set(where, this.lease !== null));
    return this.external();
  }

  /** Where the router maps us to; null: nowhere, or it does not say. */
  private external(): Endpoint | null {
    const { external = null, externalPort = 0 } = this.lease ?? {};
    return external === null ? null : { ip: external, port: externalPort };
  }

  /** Gives the port back. */
  async close(): Promise<void> {
    this.cancel();
    this.port = null;
    const { lease } = this;
    this.lease = null;
    if (lease) await this.router.unmap(lease, LEAVE_MS);
  }

  /** The network or the mapping changed: is ours still there? */
  check(): void {
    if (this.port !== null && this.host.now() - this.askedAt >= CHECK_MS) void this.ask(FIRST_MS);
  }

  state(): PortMappingState {
    const { lease } = this;
    if (lease) {
      const { method, external, externalPort, users } = lease;
      const at =
        external === null
          ? `:${externalPort}`
          : formatEndpoint({ ip: external, port: externalPort });
      const whose = users ? ' that you made there yourself' : '';
      const text = `The router maps ${at} to us by ${NAMES[method]}${whose}.`;
      return { state: 'mapped', method, external: at, users, text };
    }
    const none = { method: null, external: null, users: false };
    if (this.port === null)
      return { state: 'idle', ...none, text: 'Nothing is mapped while the tunnel sleeps.' };
    return this.asking
      ? { state: 'asking', ...none, text: 'The router is being asked for a port.' }
      : {
          state: 'none',
          ...none,
          text: 'The router gives no port: it knows neither PCP nor NAT-PMP nor UPnP-IGD, or refuses.',
        };
  }

  private async ask(ms: number): Promise<void> {
    const { port, lease } = this;
    if (port === null || this.asking) return;
    this.asking = true;
    this.askedAt = this.host.now();
    this.hooks.onChange();
    const wanted = lease?.externalPort ?? this.wanted;
    const fresh =
      (lease ? await this.router.map(port, wanted, ms, [lease.method]) : null) ??
      (await this.router.map(port, wanted, ms));
    this.asking = false;
    if (this.port !== port) {
      // It was closed meanwhile.
      if (fresh) await this.router.unmap(fresh, LEAVE_MS);
      return;
    }
    this.take(fresh, lease);
  }

  private take(fresh: Lease | null, before: Lease | null): void {
    this.lease = fresh;
    if (fresh) this.wanted = fresh.externalPort;
    const moved =
      fresh?.externalPort !== before?.externalPort || fresh?.external !== before?.external;
    if (moved && (fresh || before))
      this.hooks.log(
        fresh
          ? { level: 'info', text: this.state().text }
          : {
              level: 'warning',
              text: 'The router gives us no port any more.',
              ...told('port-lost'),
            },
      );
    if (moved) this.hooks.onMoved(this.external());
    this.hooks.onChange();
    this.cancel();
    const { lifetime, users } = fresh ?? { lifetime: 0, users: false };
    const next = fresh ? (lifetime * 1000) / 2 : RETRY_MS;
    if (next > 0 && !users) this.cancel = this.host.after(next, () => void this.ask(FIRST_MS));
  }
}
