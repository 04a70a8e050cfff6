// Module report/report gathers what helps to find a fault, and takes out what is somebody's.
import { homedir, hostname, release, userInfo } from 'node:os';
import packageJson from '../../../package.json' with { type: 'json' };
import type { Api } from '../api.ts';
import type { LogRow } from '../slices.ts';
import type { SettingsState } from '../settings-calls.ts';
import type { reportCalls } from './calls.ts';
import { Redactor } from './redact.ts';
import type { Personal } from './redact.ts';

/** Lines of the log, the last ones; peers and flows, the first ones. */
const LOG_LINES = 1_000;
const ROWS = 200;

type Asked = Pick<
  Api,
  | 'status'
  | 'apps'
  | 'reachable'
  | 'flows'
  | 'questions'
  | 'policy'
  | 'network'
  | 'servers'
  | 'failover'
  | 'pcs'
  | 'doctorState'
  | 'settings'
  | 'captureState'
>;

export interface ReportSource {
  readonly api: Asked;
  readonly log: () => readonly LogRow[];
  readonly secrets: () => readonly string[];
}

const HEAD =
  'Problem report of Shipworm. Addresses, names, paths and keys were replaced by names like <ipv4-1>, one for each thing. Nothing was sent.';

/** The call of report/calls. */
export function reportApi(source: ReportSource): Pick<Api, keyof typeof reportCalls> {
  return {
    report: async () => {
      const redactor = new Redactor(personal(source.secrets()));
      return { text: written(await gathered(source, redactor), redactor) };
    },
  };
}

/** What can be said where no client runs. */
export function reportWithoutClient(settings: SettingsState | null, why: string): string {
  return written({ client: why, settings }, new Redactor(personal([])));
}

async function gathered({ api, log }: ReportSource, redactor: Redactor): Promise<object> {
  const none = {};
  const { peers, ...status } = await api.status(none);
  const pcs = await api.pcs(none);
  const network = await api.network(none);
  return {
    status,
    peers: { count: peers.length, first: peers.slice(0, ROWS) },
    network: { ...network, id: network.id && redactor.name('network', network.id) },
    doctor: (await api.doctorState(none)).report,
    servers: await api.servers(none),
    failover: await api.failover(none),
    // Somebody's own words for somebody.
    knownPcs: pcs.map((pc) => ({ ...pc, name: redactor.name('pc', pc.name) })),
    applications: await api.apps(none),
    listening: await api.reachable(none).catch((error: unknown) => String(error)),
    flows: (await api.flows(none)).slice(0, ROWS),
    questions: await api.questions(none),
    policy: await api.policy(none),
    settings: await api.settings(none),
    capture: await api.captureState(none),
    log: log()
      .slice(-LOG_LINES)
      .map(({ at, level, text }) => `${new Date(at).toISOString()} ${level} ${text}`),
  };
}

function written(content: object, redactor: Redactor): string {
  const { electron } = process.versions as Readonly<Record<string, string | undefined>>;
  const versions = {
    shipworm: packageJson.version,
    node: process.versions.node,
    ...(electron !== undefined && { electron }),
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
  };
  const redacted = redactor.value(content) as object;
  return `${JSON.stringify({ report: HEAD, versions, ...redacted }, null, 2)}\n`;
}

function personal(secrets: readonly string[]): Personal {
  const name = hostname();
  const users = [process.env['SUDO_USER'], process.env['USER'], process.env['LOGNAME']];
  return {
    hostNames: [name, name.split('.')[0]!],
    userNames: [...users.filter((each) => each !== undefined), userName()],
    homes: [homedir()],
    secrets,
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
