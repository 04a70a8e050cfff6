// Module service/settings-calls declares the calls about a client's settings: what is in force and why, changes, export and import.
import { z } from 'zod';

const settingRowSchema = z.object({
  name: z.string(),
  /** What is in force; null: none, or a secret that is not set. A secret that is set is `true`. */
  value: z.unknown(),
  default: z.unknown(),
  /** `default`, a file, or what rules over the files, e.g. `command line`. */
  source: z.string(),
  /** The policy file `source` sets it: nobody else may. */
  locked: z.boolean(),
  secret: z.boolean(),
  /** A change waits for the next start. */
  needsRestart: z.boolean(),
  /** The files have another value, which waits for that. */
  waiting: z.boolean(),
  kind: z.enum(['flag', 'number', 'text', 'choice', 'list', 'object']),
  /** Of a choice. */
  choices: z.array(z.string()).nullable(),
  min: z.number().nullable(),
  max: z.number().nullable(),
});

const settingsStateSchema = z.object({
  /** Where changes are written to. */
  file: z.string(),
  /** Why the files can't be used as they are; what is shown is what was read before. */
  error: z.string().nullable(),
  rows: z.array(settingRowSchema),
  /**
   * Where `clientId` and `key` are, or would be: in the desktop's keychain; there, but `locked` or `failed`, and therefore not in use; in the
   * file, because there is no keychain, or because it is locked, or because they could not be moved; elsewhere, as their rows say.
   */
  identity: z.enum([
    'keychain',
    'locked',
    'failed',
    'file',
    'file-locked',
    'file-stays',
    'elsewhere',
  ]),
});

/** Names of settings that are in force now, and of those that wait for the next start. */
export const settingsChangeSchema = z.object({
  applied: z.array(z.string()),
  needRestart: z.array(z.string()),
});

export const settingsCalls = {
  settings: { params: z.strictObject({}), result: settingsStateSchema },
  /** Writes settings to the file; null: back to the default. Rejects with 'bad-config' or 'locked', then nothing has changed. */
  setSettings: {
    params: z.strictObject({ values: z.record(z.string().min(1).max(64), z.unknown()) }),
    result: settingsChangeSchema,
  },
  /** Has the keychain ask the person to unlock it, once, and takes what it keeps of the identity, or moves that there. */
  unlockKeychain: { params: z.strictObject({}), result: settingsStateSchema },
  /** JSON text of what the files set, without secrets. */
  exportSettings: { params: z.strictObject({}), result: z.object({ document: z.string() }) },
  /**
   * Takes all settings of an exported document instead of those of the file; secrets stay. Rejects with 'bad-config', or with
   * 'weakens' unless `weaken` is given; then nothing has changed.
   */
  importSettings: {
    params: z.strictObject({
      document: z.string().max(60_000),
      /** It may open what is closed now, and name programs to run. */
      weaken: z.boolean().optional(),
    }),
    result: settingsChangeSchema,
  },
} as const;

export type SettingRow = z.infer<typeof settingRowSchema>;
export type SettingsState = z.infer<typeof settingsStateSchema>;
export type SettingsChange = z.infer<typeof settingsChangeSchema>;
