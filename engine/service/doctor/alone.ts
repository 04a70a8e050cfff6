// Module doctor/alone looks at this machine where no client runs.
import { createHost } from '../../host/index.ts';
import { readSettings } from '../config.ts';
import type { FileSettings, Settings } from '../config.ts';
import type { DoctorReport } from '../doctor-calls.ts';
import { readPolicy } from '../policy.ts';
import { doctorFor } from './api.ts';

export interface AloneOptions {
  readonly defaults: readonly string[];
  readonly explicit: string | undefined;
  readonly overrides: FileSettings;
}

/** Rejects with ServiceError 'bad-config'. Nothing is written. */
export async function doctorAlone(options: AloneOptions, thorough: boolean): Promise<DoctorReport> {
  const { defaults, explicit, overrides } = options;
  const settings: Settings = readSettings(defaults, explicit, overrides, readPolicy(), false);
  const host = createHost();
  const doctor = doctorFor({ host, settings, service: null, state: null, hooks: {} });
  return doctor.look(thorough);
}
