// Module doctor/api puts a doctor beside a running client, or on its own, and offers its calls.
import type { ProbeHost } from '../../host/probe-types.ts';
import { formatIp4 } from '../../wire/index.ts';
import type { Api } from '../api.ts';
import type { Settings } from '../config.ts';
import type { doctorCalls } from '../doctor-calls.ts';
import { findOffers } from '../portmap/router.ts';
import { noteAnswer } from '../state-file.ts';
import type { StateStore } from '../state-file.ts';
import { Doctor } from './doctor.ts';
import type { EngineFacts } from './facts.ts';

/** A router answers at once, or not at all, ms. */
const OFFERS_MS = 2_500;

export interface DoctorPlace {
  readonly host: ProbeHost;
  readonly settings: Settings;
  /** The client that runs; null: none does. */
  readonly service: { engineFacts(): EngineFacts; stir(): void } | null;
  readonly state: StateStore | null;
  readonly hooks: { readonly onChange?: () => void };
}

export function doctorFor(place: DoctorPlace): Doctor {
  const { host, service, state, hooks } = place;
  return new Doctor({
    host,
    // They may change while it runs.
    get settings() {
      return place.settings;
    },
    engine: service && { facts: () => service.engineFacts(), stir: () => service.stir() },
    answeredAgo: (server) => {
      const at = state?.value.answers[formatIp4(server)];
      return at === undefined ? null : Date.now() - at;
    },
    answered: (server) => state && noteAnswer(state, server),
    mapping: async () => ({
      ...(await findOffers(host, OFFERS_MS)),
      active: service?.engineFacts().status.portMapping.external ?? null,
    }),
    today: () => Date.now(),
    onChange: () => hooks.onChange?.(),
  });
}

export function doctorApi(doctor: Doctor): Pick<Api, keyof typeof doctorCalls> {
  return {
    doctor: ({ thorough }) => doctor.look(thorough ?? false),
    doctorState: () => Promise.resolve(doctor.state()),
  };
}
