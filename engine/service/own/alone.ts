// Module own/alone looks at one's own server and relay from a machine where no client runs.
import { createHost } from '../../host/index.ts';
import { readSettings } from '../config.ts';
import type { SettingsPlaces } from '../config.ts';
import { readPolicy } from '../policy.ts';
import type { OwnParams, OwnReport } from './calls.ts';
import { OwnCheck } from './own.ts';

/** Rejects with ServiceError. Nothing is written, and nothing is opened but UDP sockets for the time that it takes. */
export function ownAlone(places: SettingsPlaces, asked: OwnParams): Promise<OwnReport> {
  const settings = readSettings(places, readPolicy(), false);
  return new OwnCheck({ host: createHost(), settings, onChange: () => undefined }).look(asked);
}
