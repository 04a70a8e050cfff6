// Module service/around puts beside a running client what looks after it: the doctor, the check of one's own server, the list of servers, the known PCs, a capture.
import packageJson from '../../package.json' with { type: 'json' };
import type { Api } from './api.ts';
import type { captureCalls } from './capture/calls.ts';
import { Capture } from './capture/capture.ts';
import type { CaptureParts } from './capture/capture.ts';
import { doctorApi, doctorFor } from './doctor/api.ts';
import type { DoctorPlace } from './doctor/api.ts';
import type { doctorCalls } from './doctor-calls.ts';
import type { ownCalls } from './own/calls.ts';
import { OwnCheck } from './own/own.ts';
import { KnownPcs } from './known-pcs.ts';
import type { pcCalls } from './pc-calls.ts';
import type { serverListCalls } from './server-list-calls.ts';
import { ServerCatalogue } from './servers.ts';
import type { ServersParts } from './servers.ts';
import type { StateStore } from './state-file.ts';

type AroundApi = Pick<
  Api,
  | keyof typeof doctorCalls
  | keyof typeof ownCalls
  | keyof typeof serverListCalls
  | keyof typeof pcCalls
  | keyof typeof captureCalls
>;

/** The calls of those that stand around a client. */
export function aroundClient(
  place: DoctorPlace & {
    readonly service: NonNullable<DoctorPlace['service']> &
      ServersParts['service'] &
      CaptureParts['service'];
    readonly state: StateStore;
  },
): AroundApi {
  const { host, service, state, hooks } = place;
  const onChange = (): void => hooks.onChange?.();
  return {
    ...doctorApi(doctorFor(place)),
    ...new OwnCheck({
      host,
      onChange,
      get settings() {
        return place.settings;
      },
    }).api,
    ...new ServerCatalogue({
      host,
      state,
      service,
      onChange,
      get settings() {
        return place.settings;
      },
    }).api,
    ...new KnownPcs({ host, state, service, onChange }).api,
    ...new Capture({ service, application: `Shipworm ${packageJson.version}`, onChange }).api,
  };
}
