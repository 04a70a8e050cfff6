// Module service/shell-calls declares the calls that only the desktop app answers, and what it says of itself.
import { z } from 'zod';
import { settingsChangeSchema } from './settings-calls.ts';

const none = z.strictObject({});
const done = z.strictObject({});
const hostName = z.string().trim().min(1).max(253);

export const THEMES = ['system', 'light', 'dark'] as const;
/** `system`: the first of the session's languages that there is, else English. */
export const LANGUAGES = ['system', 'en', 'ja'] as const;

/** What the app says of itself. */
const shellStateSchema = z.object({
  version: z.string(),
  runtime: z.object({
    electron: z.string(),
    chrome: z.string(),
    node: z.string(),
    /** It runs on a stand-in for the Electron that it is made for: a trial, never a release. */
    trial: z.boolean(),
  }),
  theme: z.enum(THEMES),
  language: z.enum(LANGUAGES),
  /** The language that `language` comes to. */
  locale: z.enum(['en', 'ja']),
  /** The first-run screens have not been gone through. */
  firstRun: z.boolean(),
  /** `until` (ms since 1970) null: until it is resumed. */
  paused: z.object({ until: z.number().nullable() }).nullable(),
  engine: z.object({
    state: z.enum(['starting', 'running', 'failed']),
    /** Why it failed, as docs/codes.md has it. */
    code: z.string().nullable(),
    text: z.string().nullable(),
    params: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  }),
  helper: z.object({
    /** `working`: it is being installed. `refused`: that was not allowed. */
    state: z.enum(['installed', 'missing', 'working', 'refused']),
    text: z.string(),
  }),
  /** The desktop has a tray; where it has none, closing the window ends the app. Null: not known yet. */
  tray: z.boolean().nullable(),
  /** The person's own folder, for which `~` stands. */
  home: z.string(),
  autostart: z.boolean(),
  notifications: z.boolean(),
  networkKind: z.enum(['built-in', 'real']),
  /** The server of the real network, if one was chosen here. */
  server: z.string().nullable(),
});

/** Everything has one way in: the window's calls, the tray's and the tests' are these. */
export const shellCalls = {
  setTheme: { params: z.strictObject({ theme: z.enum(THEMES) }), result: done },
  setLanguage: { params: z.strictObject({ language: z.enum(LANGUAGES) }), result: done },
  /** Null: until it is resumed. */
  pause: {
    params: z.strictObject({ minutes: z.number().int().min(1).max(1440).nullable() }),
    result: done,
  },
  resume: { params: none, result: done },
  chooseNetwork: {
    params: z.strictObject({ kind: z.enum(['built-in', 'real']), server: hostName.optional() }),
    result: done,
  },
  finishFirstRun: { params: none, result: done },
  /** Asks for the one elevation. */
  installHelper: { params: none, result: shellStateSchema.shape.helper },
  setAutostart: { params: z.strictObject({ on: z.boolean() }), result: done },
  setNotifications: { params: z.strictObject({ on: z.boolean() }), result: done },
  copyText: { params: z.strictObject({ text: z.string().max(10_000) }), result: done },
  /** Asks where to; `path` null: the person thought better of it. */
  save: {
    params: z.strictObject({ what: z.enum(['log', 'flows', 'settings', 'report']) }),
    result: z.object({ path: z.string().nullable() }),
  },
  /**
   * Asks for an exported document and takes its settings, all or none; `path` null: the person thought better of it. `weaken`: takes the
   * one that was refused last because it opens this PC further, without asking for it again.
   */
  openSettings: {
    params: z.strictObject({ weaken: z.boolean().optional() }),
    result: settingsChangeSchema.extend({ path: z.string().nullable() }),
  },
  /** Asks where to, and writes a capture there until it is stopped or ends by itself; see the slice `capture`. */
  startCapture: {
    /** `inner`: the IPv6 packets alone. */
    params: z.strictObject({ inner: z.boolean().optional() }),
    result: z.object({ path: z.string().nullable() }),
  },
  stopCapture: { params: none, result: done },
  /** Opens the user guide, or the guide for servers and relays. */
  openGuide: {
    params: z.strictObject({ page: z.enum(['guide', 'run-your-own']).optional() }),
    result: done,
  },
  quit: { params: none, result: done },
} as const;

export type ShellState = z.infer<typeof shellStateSchema>;
export type ShellCallName = keyof typeof shellCalls;
export type ShellParams<C extends ShellCallName> = z.infer<(typeof shellCalls)[C]['params']>;
export type ShellResult<C extends ShellCallName> = z.infer<(typeof shellCalls)[C]['result']>;
export type ShellApi = {
  [C in ShellCallName]: (params: ShellParams<C>) => Promise<ShellResult<C>>;
};
