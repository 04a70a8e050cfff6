// Module service/metrics puts a status into the numbers that Prometheus collects.
import packageJson from '../../package.json' with { type: 'json' };
import type { Registry } from 'prom-client';
import type { RelayStatus, ServerStatus, Status } from './api.ts';
import { statusSchema } from './api.ts';

export type AnyStatus = Status | ServerStatus | RelayStatus;

/** One value with its labels. */
interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Metric<S> {
  readonly name: string;
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly samples: (status: S) => readonly Sample[];
}

const plain = (value: number): Sample[] => [{ labels: {}, value }];
const each = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));

const roleOf = (status: AnyStatus): string => ('role' in status ? status.role : 'client');

const COMMON: readonly Metric<AnyStatus>[] = [
  {
    name: 'shipworm_info',
    help: 'Always 1; what runs, and which version of it.',
    kind: 'gauge',
    labels: ['role', 'version'],
    samples: (status) => [
      { labels: { role: roleOf(status), version: packageJson.version }, value: 1 },
    ],
  },
  {
    name: 'shipworm_discarded_total',
    help: 'Packets refused, by the reasons that docs/codes.md explains.',
    kind: 'counter',
    labels: ['reason'],
    samples: ({ counters }) => each('reason', counters.discards),
  },
];

const SERVER: readonly Metric<ServerStatus>[] = [
  {
    name: 'shipworm_server_advertisements_total',
    help: 'Router solicitations of clients that were answered.',
    kind: 'counter',
    labels: [],
    samples: ({ counters }) => plain(counters.answered),
  },
  {
    name: 'shipworm_server_forwarded_total',
    help: 'Bubbles and pings sent on, to clients of this server or to native IPv6 hosts.',
    kind: 'counter',
    labels: ['to'],
    samples: ({ counters }) => each('to', { client: counters.forwarded, native: counters.native }),
  },
  {
    name: 'shipworm_server_native_pings',
    help: '1 if clients’ pings to native IPv6 hosts can be sent on, else 0.',
    kind: 'gauge',
    labels: [],
    samples: ({ nativePings }) => plain(nativePings ? 1 : 0),
  },
];

const DATAPATH: Metric<Status | RelayStatus> = {
  name: 'shipworm_datapath_total',
  help: 'What the datapath did by itself, by the name of its counter.',
  kind: 'counter',
  labels: ['counter'],
  samples: ({ counters }) => each('counter', counters.datapath),
};

const RELAY: readonly Metric<RelayStatus>[] = [
  {
    name: 'shipworm_relay_packets_total',
    help: 'Packets carried between native hosts and clients, by direction.',
    kind: 'counter',
    labels: ['direction'],
    samples: ({ counters: { toClients, fromClients } }) =>
      each('direction', { to_clients: toClients, from_clients: fromClients }),
  },
  {
    name: 'shipworm_relay_bubbles_total',
    help: 'Bubbles sent to open the way to clients.',
    kind: 'counter',
    labels: [],
    samples: ({ counters }) => plain(counters.bubbles),
  },
  {
    name: 'shipworm_relay_icmp_errors_total',
    help: 'ICMPv6 errors sent to native hosts.',
    kind: 'counter',
    labels: [],
    samples: ({ counters }) => plain(counters.errors),
  },
  {
    name: 'shipworm_relay_clients',
    help: 'Clients in the relay’s list: those that have answered, and those being asked.',
    kind: 'gauge',
    labels: ['state'],
    samples: ({ clients, pending }) => each('state', { answered: clients, asked: pending }),
  },
  {
    name: 'shipworm_relay_queued_bytes',
    help: 'Bytes that wait for clients to answer.',
    kind: 'gauge',
    labels: [],
    samples: ({ queuedBytes }) => plain(queuedBytes),
  },
  DATAPATH,
];

const CLIENT: readonly Metric<Status>[] = [
  {
    name: 'shipworm_client_state',
    help: '1 for the state that the client is in, 0 for all others.',
    kind: 'gauge',
    labels: ['state'],
    samples: ({ state }) =>
      statusSchema.shape.state.options.map((name) => ({
        labels: { state: name },
        value: name === state ? 1 : 0,
      })),
  },
  {
    name: 'shipworm_client_peers',
    help: 'Peers in the client’s list: those with an open path, and the others.',
    kind: 'gauge',
    labels: ['path'],
    samples: ({ peerCounts: { known, open } }) => each('path', { open, none: known - open }),
  },
  DATAPATH,
];

/** The metrics of what runs: each collection asks `status` once. */
export async function metricsOf(status: () => AnyStatus): Promise<Registry> {
  // Loaded only where somebody wants it: most never do.
  const { Counter, Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  const first = status();
  const metrics = [...COMMON, ...metricsOfRole(first)] as Metric<AnyStatus>[];
  // The samples of one collection belong to one status: the first metric of the registry takes it.
  let current = first;
  metrics.forEach(({ name, help, kind, labels, samples }, index) => {
    const options = { name, help, labelNames: labels, registers: [registry] };
    const take = (): readonly Sample[] => {
      if (index === 0) current = status();
      return samples(current);
    };
    if (kind === 'gauge')
      new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const sample of take()) this.set(sample.labels, sample.value);
        },
      });
    else
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const sample of take()) this.inc(sample.labels, sample.value);
        },
      });
  });
  return registry;
}

function metricsOfRole(status: AnyStatus): readonly Metric<never>[] {
  if (!('role' in status)) return CLIENT;
  return status.role === 'server' ? SERVER : RELAY;
}
