// Module doctor/alone looks at this machine where no client runs.
import { createHost } from '../../host/index.ts';
import { readSettings } from '../config.ts';
import type { Settings, SettingsPlaces } from '../config.ts';
import type { DoctorReport } from '../doctor-calls.ts';
import { readPolicy } from '../policy.ts';
import { doctorFor } from './api.ts';

/** Rejects with ServiceError 'bad-config'. Nothing is written. */
export async function doctorAlone(
  places: SettingsPlaces,
  thorough: boolean,
): Promise<DoctorReport> {
  const settings: Settings = readSettings(places, readPolicy(), false);
  const host = createHost();
  const doctor = doctorFor({ host, settings, service: null, state: null, hooks: {} });
  return doctor.look(thorough);
}
