// Module doctor/alone looks at this machine where no client runs.
import { createHost } from '../../host/index.ts';
import { readSettings } from '../config.ts';
import type { Settings, SettingsPlaces } from '../config.ts';
import type { DoctorReport } from '../doctor-calls.ts';
import { readPolicy } from '../policy.ts';
import { doctorFor } from './api.ts';
import type { Doctor } from './doctor.ts';

/** `onChange`: it knows more. Throws ServiceError 'bad-config'. Nothing is written. */
export function loneDoctor(places: SettingsPlaces, onChange?: () => void): Doctor {
  const settings: Settings = readSettings(places, readPolicy(), false);
  const hooks = onChange ? { onChange } : {};
  return doctorFor({ host: createHost(), settings, service: null, state: null, hooks });
}

/** One look. Rejects with ServiceError 'bad-config'. */
export async function doctorAlone(
  places: SettingsPlaces,
  thorough: boolean,
): Promise<DoctorReport> {
  return loneDoctor(places).look(thorough);
}
