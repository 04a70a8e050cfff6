// Module builtin/start brings a client up on the built-in network: the very client service, without root and without a real packet.
import { targetUser } from '../../host/index.ts';
import type { Api, ReloadResult, Status } from '../api.ts';
import { ClientService } from '../client-service.ts';
import type { ServiceHooks } from '../client-service.ts';
import { readSettings } from '../config.ts';
import { removeLeftover } from '../control-server.ts';
import { aroundClient } from '../around.ts';
import { NOTHING_TOLD } from '../hook/state.ts';
import { ServiceError } from '../errors.ts';
import { controlPath } from '../paths.ts';
import { reportApi } from '../report/report.ts';
import { SettingsStore } from '../settings-store.ts';
import { SliceFeed } from '../slice-feed.ts';
import { openControl } from '../start.ts';
import { BuiltInNetwork } from './network.ts';
import type { AccessKind } from './places.ts';

export interface BuiltInOptions {
  readonly nat?: AccessKind;
  readonly speed?: number;
  /** Where to listen; null: nowhere, undefined: at the usual place. */
  readonly control?: string | null;
  /** Is told of every slice; one of its own if none is given. */
  readonly feed?: SliceFeed;
}

/** A client on the built-in network. */
export interface RunningBuiltIn {
  readonly api: Required<Api>;
  status(): Status;
  /** There is no configuration: rejects with ServiceError. */
  reload(): Promise<ReloadResult>;
  /** Off until told otherwise. */
  pause(paused: boolean): void;
  close(): Promise<void>;
}

/** Throws ServiceError when the control socket can't be had, and has undone everything then. */
export async function startBuiltIn(
  options: BuiltInOptions,
  given: ServiceHooks,
): Promise<RunningBuiltIn> {
  const feed = options.feed ?? new SliceFeed();
  const hooks = feed.wrap(given);
  const store = await SettingsStore.idle(() => hooks.onChange?.());
  const path = options.control === undefined ? controlPath() : options.control;
  if (path !== null) await removeLeftover(path);
  const control = path === null ? null : await openControl(path, targetUser());
  const network = new BuiltInNetwork(options);
  const { host } = network;
  const settings = readSettings({ defaults: [], overrides: { server: [...network.servers] } });
  const adapter = await host.openAdapter();
  let service: ClientService | null = null;
  const owners = await host.openOwners({
    adapter,
    onEvent: (event) => service?.ownerEvent(event),
    onLost: (error) => service?.ownersLost(error),
  });
  const client = new ClientService(host, settings, adapter, owners, network.state, hooks);
  service = client;
  const { keeper } = client;
  network.run({
    rules: () => keeper.gate.allRules(),
    allow: (rule) => keeper.input({ kind: 'rule', rule }),
    forget: (id) => keeper.input({ kind: 'forget', id }),
  });
  await client.start();
  const around = aroundClient({ host, settings, service: client, state: network.state, hooks });
  const offered = { ...timed(network, { ...client.api, ...around }), ...store.api };
  const api = {
    ...offered,
    ...reportApi({ api: offered, log: () => feed.log.list(), secrets: () => [] }),
    ...networkApi(network),
    ...tellsNobody,
    reload: refuseReload,
  };
  const status = (): Status => network.at(() => client.status());
  feed.attach(api, status);
  control?.serve(api, feed);
  return {
    api,
    status,
    reload: refuseReload,
    pause: (paused) => network.at(() => keeper.pause(paused)),
    close: async () => {
      await client.close();
      network.close();
      control?.close();
    },
  };
}

/** Each call happens at the time that it is by the clock on the wall. */
function timed<A extends object>(network: BuiltInNetwork, api: A): A {
  const made = Object.entries(api).map(([name, call]: [string, (given: unknown) => unknown]) => [
    name,
    (given: unknown) => network.at(() => call(given)),
  ]);
  return Object.fromEntries(made) as A;
}

function networkApi(network: BuiltInNetwork): Required<Pick<Api, 'builtIn' | 'changeBuiltIn'>> {
  return {
    builtIn: () => Promise.resolve(network.at(() => network.show())),
    changeBuiltIn: (change) =>
      Promise.resolve(
        network.at(() => {
          network.change(change);
          return network.show();
        }),
      ),
  };
}

/** An address that nobody outside can use is told to nobody. */
const tellsNobody: Pick<Api, 'hookState' | 'runHook'> = {
  hookState: () => Promise.resolve(NOTHING_TOLD),
  runHook: () =>
    Promise.reject(
      new ServiceError(
        'not-on-built-in',
        'Nobody is told of an address of the built-in network; use your real network for that.',
      ),
    ),
};

/** There is no configuration that could have changed. */
function refuseReload(): Promise<ReloadResult> {
  return Promise.reject(
    new ServiceError(
      'not-on-built-in',
      'The built-in network has no configuration; stop it and start it anew.',
    ),
  );
}
