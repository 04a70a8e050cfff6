// Module service/start brings a client, a server or a relay up in the order that a root start demands, and takes it down again.
import { chownSync, mkdirSync } from 'node:fs';
import { createHost, dropPrivileges, guardSocket, targetUser } from '../host/index.ts';
import type { User } from '../host/index.ts';
import { HostError } from '../host/types.ts';
import type { Owners } from '../host/types.ts';
import { TEREDO_MTU } from '../wire/index.ts';
import type { Api, RelayApi, ReloadResult, ServerApi, Status } from './api.ts';
import { ClientService } from './client-service.ts';
import type { ServiceHooks } from './client-service.ts';
import { LIVE_CLIENT_SETTINGS } from './config.ts';
import type { Settings, SettingsPlaces } from './config.ts';
import { listenControl, makeControlFolder, removeLeftover } from './control-server.ts';
import type { ControlServer } from './control-server.ts';
import { demoSteps } from './demo.ts';
import { aroundClient } from './around.ts';
import { AddressHook } from './hook/address-hook.ts';
import { ServiceError } from './errors.ts';
import { controlPath, stateDirectory, SYSTEM_STATE } from './paths.ts';
import { watchPolicy } from './policy-watch.ts';
import { LIVE_RELAY_SETTINGS } from './relay-config.ts';
import type { RelaySettings } from './relay-config.ts';
import { findPlace } from './relay-place.ts';
import { rehearseFlood } from './relay-rehearsal.ts';
import { RelayService } from './relay-service.ts';
import type { AnyStatus } from './metrics.ts';
import { mapperFor } from './portmap/mapper.ts';
import { serveMetrics } from './metrics-server.ts';
import type { MetricsEndpoint } from './metrics-server.ts';
import { reloadable } from './reload.ts';
import { reportApi } from './report/report.ts';
import { LIVE_SERVER_SETTINGS } from './server-config.ts';
import type { ServerSettings } from './server-config.ts';
import { ServerService } from './server-service.ts';
import { SettingsStore } from './settings-store.ts';
import { SliceFeed } from './slice-feed.ts';
import { StateFile } from './state-file.ts';

/** A client that runs in this process. */
export interface RunningClient {
  readonly api: Api;
  status(): Status;
  /** As the call `reload` does. */
  reload(): Promise<ReloadResult>;
  /** Off until told otherwise; not remembered. */
  pause(paused: boolean): void;
  close(): Promise<void>;
}

/** A server that runs in this process. */
export interface RunningServer {
  readonly api: ServerApi;
  /** As the call `reload` does. */
  reload(): Promise<ReloadResult>;
  close(): Promise<void>;
}

/** A relay that runs in this process. */
export interface RunningRelay {
  readonly api: RelayApi;
  /** As the call `reload` does. */
  reload(): Promise<ReloadResult>;
  close(): Promise<void>;
}

/** What starting takes besides the settings. */
export interface StartHooks<S> extends ServiceHooks {
  /** Reads the settings anew for a reload. Throws ServiceError 'bad-config'. */
  readonly reread: () => S;
  /** Is told of every slice; one of its own if none is given. */
  readonly feed?: SliceFeed;
}

/** What kind of failure `error` is, for exit codes and for what to offer next. */
export type FailureKind = 'configuration' | 'privilege' | 'failed';

/** Failures of the system that no privilege would mend. */
const OTHER_FAILURES: ReadonlySet<string> = new Set([
  'port-taken',
  'bind-failed',
  'no-randomness',
  'platform',
  'no-native-ipv6',
  'program-missing',
  'program-no-file',
  'program-not-executable',
]);

export function failureKind(error: unknown): FailureKind {
  if (error instanceof ServiceError)
    return error.code === 'bad-config' ? 'configuration' : 'failed';
  if (!(error instanceof HostError)) return 'failed';
  const { code } = error;
  return OTHER_FAILURES.has(code) ? 'failed' : 'privilege';
}

/**
 * Runs the whole protocol once on the built-in network, while the helper works: code that has run before answers the first
 * peer several times faster than code that is compiled for it.
 */
function warmUp(): void {
  const steps = demoSteps();
  while (!steps.next().done);
}

/** Does `work` now; what it gave, or threw, comes when it is asked for. */
function attempt<T>(work: () => T): () => T {
  try {
    const result = work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** Opens and guards the control socket, then gives root's rights up, after `prepare` did what else needs them. */
export async function openControl(
  path: string,
  user: User | null,
  prepare: (user: User) => void = () => undefined,
): Promise<ControlServer> {
  // Guarded before it is there: whoever is killed in between leaves nothing, either. A socket of somebody alive is not touched.
  makeControlFolder(path, user !== null);
  guardSocket(path);
  const control = await listenControl(path, user ?? undefined);
  try {
    if (user) {
      prepare(user);
      dropPrivileges(user);
    }
    return control;
  } catch (error) {
    control.close();
    throw error;
  }
}

/** Starts `service` and the metrics about it; closes it when one of them fails. */
async function start(
  service: { start(): Promise<void>; status(): AnyStatus; close(): Promise<void> },
  settings: { readonly metrics: MetricsEndpoint | null },
): Promise<{ close(): void }> {
  try {
    const metrics = await serveMetrics(settings.metrics, () => service.status());
    await service.start().catch((error: unknown) => {
      metrics.close();
      throw error;
    });
    return metrics;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/**
 * Starts a client: control socket and adapter first, which may need root; then root's rights go for good; only then the
 * first byte from the network is read. Throws HostError or ServiceError, and has undone everything when it does.
 */
export async function startClient(
  places: SettingsPlaces,
  given: Omit<StartHooks<Settings>, 'reread'>,
): Promise<RunningClient> {
  const host = createHost();
  const feed = given.feed ?? new SliceFeed();
  const hooks = feed.wrap(given);
  const store = new SettingsStore({
    places,
    runs: true,
    onChange: () => hooks.onChange?.(),
    log: hooks.log,
  });
  await store.look(true);
  const settings = store.read();
  const reread = (): Settings => store.read();
  const { log, reload: reloadFiles } = reloadable(
    settings,
    { log: hooks.log, reread },
    LIVE_CLIENT_SETTINGS,
    (fresh) => {
      if (service?.configure(fresh)) void judge();
    },
  );
  let service: ClientService | null = null;
  let judge: () => Promise<void> = () => Promise.resolve();
  store.attach(reloadFiles);
  const reload = async (): Promise<ReloadResult> => {
    await store.look(true);
    return reloadFiles();
  };
  const path = settings.control ?? controlPath();
  // Said first: an adapter in use would only be the consequence.
  await removeLeftover(path);
  const { adapter: name, offloads, workers: queues } = settings;
  const opening = host.openAdapter({ name, mtu: TEREDO_MTU, queues, offloads });
  warmUp();
  // A process of its own says who that is: while the helper works, too.
  const user = attempt(targetUser);
  const adapter = await opening;
  let opened: ControlServer | null = null;
  try {
    const directory = stateDirectory();
    const control = await openControl(path, user(), ({ uid, gid }) => {
      // Only the system's own folder is made as root: in a user's, a link could lead anywhere.
      if (directory !== SYSTEM_STATE) return;
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chownSync(directory, uid, gid);
    });
    opened = control;
    const state = new StateFile(directory, (text) => log({ level: 'warning', text }));
    const openOwners = (): Promise<Owners> =>
      host.openOwners({
        adapter,
        onEvent: (event) => service?.ownerEvent(event),
        onLost: (error) => service?.ownersLost(error),
      });
    judge = (): Promise<void> =>
      openOwners().then(
        (owners) => running.takeOwners(owners),
        (error: unknown) => running.ownersLost(error as HostError),
      );
    // Who exposed everything asked that nobody be looked at.
    const owners = settings.exposeAll ? null : await openOwners();
    const lastAddress = state.value.address;
    const wanted = settings.addressCommand !== null || settings.dnsUpdate !== null;
    const onTold = (): void => hooks.onChange?.();
    const told = new AddressHook({ settings, lastAddress, log, onChange: onTold });
    const running = new ClientService(host, settings, adapter, owners, state, {
      ...hooks,
      log,
      onChange: () => {
        hooks.onChange?.();
        if (wanted && service) told.look(service.summary());
      },
      ...(settings.portMapping && {
        openMapper: (moved) => mapperFor(host, { ...hooks, log }, moved),
      }),
    });
    service = running;
    const metrics = await start(running, settings);
    const stopWatching = watchPolicy(() => void reloadFiles().catch(() => undefined));
    const around = aroundClient({
      ...{ host, service: running, state, hooks },
      get settings() {
        return running.settings;
      },
    });
    const hook = told.api(() => running.summary());
    const offered = { ...running.api, ...around, ...store.api, ...hook, reload };
    const api: Api = {
      ...offered,
      ...reportApi({ api: offered, log: () => feed.log.list(), secrets: () => store.secrets }),
    };
    const status = (): Status => running.status();
    feed.attach(api, status);
    control.serve(api, feed);
    return {
      api,
      status,
      reload,
      pause: (paused) => running.keeper.pause(paused),
      close: async () => {
        stopWatching();
        metrics.close();
        told.close();
        await running.close();
        control.close();
      },
    };
  } catch (error) {
    opened?.close();
    await adapter.close();
    throw error;
  }
}

/** What a server and a relay have in common once they are open. */
interface Opened<A> {
  readonly api: A;
  readonly service: {
    start(): Promise<void>;
    status(): AnyStatus;
    close(): Promise<void>;
  };
  readonly path: string;
  readonly user: User | null;
  readonly settings: { readonly metrics: MetricsEndpoint | null };
  readonly reload: () => Promise<ReloadResult>;
  /** Takes back what was opened when the rest fails. */
  readonly undo: () => Promise<void>;
}

/** Opens the control socket, gives root's rights up and lets the service begin; undoes everything when that fails. */
async function underControl<A extends ServerApi | RelayApi>({
  api,
  service,
  path,
  user,
  settings,
  reload,
  undo,
}: Opened<A>): Promise<{
  api: A;
  reload: () => Promise<ReloadResult>;
  close: () => Promise<void>;
}> {
  let opened: ControlServer | null = null;
  try {
    const control = await openControl(path, user);
    opened = control;
    const metrics = await start(service, settings);
    control.serve(api);
    return {
      api,
      reload,
      close: async () => {
        metrics.close();
        await service.close();
        control.close();
      },
    };
  } catch (error) {
    opened?.close();
    await undo();
    throw error;
  }
}

/**
 * Starts a server: its sockets and the control socket first, then root's rights go for good; only then a datagram is looked
 * at. Throws HostError or ServiceError, and has undone everything when it does.
 */
export async function startServer(
  settings: ServerSettings,
  hooks: Pick<StartHooks<ServerSettings>, 'log' | 'reread'>,
): Promise<RunningServer> {
  const path = settings.control ?? controlPath();
  const user = targetUser();
  await removeLeftover(path);
  const { log, reload } = reloadable(settings, hooks, LIVE_SERVER_SETTINGS, (fresh) =>
    service.configure(fresh),
  );
  const service = new ServerService(createHost(), settings, log);
  const undo = (): Promise<void> => service.close();
  try {
    await service.open();
  } catch (error) {
    await undo();
    throw error;
  }
  const api: ServerApi = { ...service.api, reload };
  return underControl({ api, service, path, user, settings, reload, undo });
}

/**
 * Starts a relay: adapter and control socket first, then root's rights go for good; only then a packet is read. Throws HostError or
 * ServiceError, and has undone everything when it does.
 */
export async function startRelay(
  settings: RelaySettings,
  hooks: StartHooks<RelaySettings>,
): Promise<RunningRelay> {
  const host = createHost();
  const { log, reload } = reloadable(settings, hooks, LIVE_RELAY_SETTINGS, (fresh) =>
    service?.configure(fresh),
  );
  let service: RelayService | null = null;
  const path = settings.control ?? controlPath();
  const user = targetUser();
  await removeLeftover(path);
  const place = findPlace(host, settings);
  const opening = host.openRelayAdapter({
    name: settings.adapter,
    mtu: TEREDO_MTU,
    queues: settings.workers,
    offloads: settings.offloads,
  });
  warmUp();
  rehearseFlood();
  host.releaseMemory();
  const adapter = await opening;
  service = new RelayService(host, settings, place, adapter, { ...hooks, log });
  const undo = (): Promise<void> => adapter.close();
  const api: RelayApi = { ...service.api, reload };
  return underControl({ api, service, path, user, settings, reload, undo });
}
