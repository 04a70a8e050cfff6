// Module service/policy reads the machine policy, which only root can write, and says of each value which file it comes from.
import { readdirSync, readFileSync, statSync, lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { GatePolicy, Rule } from '../gate/index.ts';
import { parseFile } from './judge.ts';
import { hostName, settingsSchema, udpPort } from './settings-schema.ts';
import type { FileSettings } from './settings-schema.ts';

const POLICY_DIRECTORY = '/etc/shipworm/policy.d';

const port = z.number('must be a number').int().min(1).max(65_535);
const application = z.strictObject({
  /** Absolute path of the executable, or a Flatpak or Snap. */
  path: z.string('must be a path').startsWith('/', 'must be an absolute path').optional(),
  flatpak: z.string('must be the id of a Flatpak').min(1).optional(),
  snap: z.string('must be the name of a Snap').min(1).optional(),
  /** Numeric user; without it every user. */
  user: z.number('must be the number of a user').int().min(0).optional(),
  /** SHA-256 of the file's content, in hex. */
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex')
    .optional(),
});
const identified = <S extends typeof application>(schema: S) =>
  schema.refine(
    ({ path, flatpak, snap }) =>
      [path, flatpak, snap].filter((name) => name !== undefined).length === 1,
    'must have exactly one of "path", "flatpak" and "snap"',
  );

const LOCKABLE = {
  enabled: true,
  exposeAll: true,
  evenWithNativeIpv6: true,
  answerEcho: true,
  sleepAfter: true,
  newNetworks: true,
  allowPrivate: true,
  portMapping: true,
} as const;

/** One policy file. The first five keys mean what the Group Policy settings of Windows' Teredo of that name mean. */
export const policyFileSchema = z
  .strictObject({
    /** Set Teredo State. */
    state: z.enum(
      ['default', 'disabled', 'client', 'enterprise-client'],
      'must be "default", "disabled", "client" or "enterprise-client"',
    ),
    /** Set Teredo Server Name. */
    serverName: z.union([hostName, z.array(hostName).min(1, 'is empty; name at least one server')]),
    /** Set Teredo Refresh Rate, seconds. */
    refreshRate: z
      .number('must be a number of seconds')
      .int('must be a whole number of seconds')
      .min(1, 'must be 1 to 300 seconds')
      .max(300, 'must be 1 to 300 seconds'),
    /** Set Teredo Client Port. */
    clientPort: udpPort,
    /** Set Teredo Default Qualified. */
    defaultQualified: z.boolean('must be true or false'),
    allowedApplications: z.array(
      identified(
        application.extend({
          connectOut: z.boolean('must be true or false').optional(),
          beReached: z
            .union([z.enum(['none', 'all']), z.array(port)], 'must be "none", "all" or ports')
            .optional(),
        }),
      ),
    ),
    forbiddenApplications: z.array(identified(application)),
    /** Settings that no user changes. */
    lockedSettings: settingsSchema.pick(LOCKABLE).partial(),
  })
  .partial();

type PolicyFile = z.infer<typeof policyFileSchema>;
type Application = z.infer<typeof application>;

/** One effective value. */
export interface PolicyValue {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
  readonly locked: boolean;
}

/** What is shown of the policy. */
export interface PolicyView {
  readonly files: readonly { readonly path: string; readonly error: string | null }[];
  readonly values: readonly PolicyValue[];
}

/** The policy of this machine, all files together. */
export interface MachinePolicy {
  readonly gate: GatePolicy;
  /** Values that rule over configuration and command line. */
  readonly settings: FileSettings;
  readonly refreshRate: number | null;
  readonly files: PolicyView['files'];
  /** Name of a value -> the file that it stands in. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Root's choice holds after his rights were given up. */
const startedByRoot = process.getuid?.() === 0;

/** Where policy files are. Only root can name another folder, for what root starts; the helper reads the usual one in any case. */
export function policyDirectory(): string {
  const other = process.env['SHIPWORM_POLICY'];
  return other?.startsWith('/') && startedByRoot ? other : POLICY_DIRECTORY;
}

/**
 * Reads every `*.json` in `directory`, in the order of their names; of two that set one value the later rules. What is not
 * root's alone is refused, for anybody could have written it. A file of root's that can't be understood switches Teredo off,
 * because nobody knows what it was to forbid.
 */
export function readPolicy(directory: string = policyDirectory()): MachinePolicy {
  const files: { path: string; error: string | null }[] = [];
  const merged: PolicyFile = {};
  const sources: Record<string, string> = {};
  const rules: Rule[] = [];
  const { paths, unreadable } = policyFiles(directory, files);
  let damaged = unreadable;
  for (const path of paths) {
    const faults: string[] = [];
    const file = readOne(path, faults);
    files.push({ path, error: faults.length > 0 ? faults.join(' ') : null });
    if (faults.length > 0) {
      damaged = true;
      sources['state'] = path;
      continue;
    }
    const { allowedApplications = [], forbiddenApplications = [], lockedSettings, ...rest } = file;
    Object.assign(merged, rest);
    for (const name of Object.keys({ ...rest, ...lockedSettings })) sources[name] = path;
    merged.lockedSettings = { ...merged.lockedSettings, ...lockedSettings };
    for (const each of forbiddenApplications) rules.push(ruleOf(each, path, rules.length, null));
    for (const each of allowedApplications) rules.push(ruleOf(each, path, rules.length, each));
  }
  const { state = 'default', serverName, clientPort, lockedSettings } = merged;
  return {
    gate: {
      state: damaged ? 'damaged' : state,
      defaultQualified: merged.defaultQualified ?? false,
      rules,
    },
    settings: {
      ...lockedSettings,
      ...(serverName !== undefined && { server: serverName }),
      ...(clientPort !== undefined && { port: clientPort }),
      ...(merged.refreshRate !== undefined && { refreshInterval: merged.refreshRate }),
    },
    refreshRate: merged.refreshRate ?? null,
    files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
    sources,
  };
}

/** The files that are root's alone; the others are put down with what is wrong. `unreadable`: they may say anything. */
function policyFiles(
  directory: string,
  refused: { path: string; error: string | null }[],
): { readonly paths: string[]; readonly unreadable: boolean } {
  let names: string[];
  try {
    names = readdirSync(directory)
      .filter((name) => name.endsWith('.json'))
      .sort();
  } catch (error) {
    const unreadable = (error as NodeJS.ErrnoException).code !== 'ENOENT';
    if (unreadable)
      refused.push({
        path: directory,
        error: `It could not be read (${(error as Error).message}).`,
      });
    return { paths: [], unreadable };
  }
  const foreign = [directory, dirname(directory)].find((folder) => !isRootsAlone(folder));
  const paths = names
    .map((name) => join(directory, name))
    .filter((path) => {
      const culprit = foreign ?? (isRootsAlone(path) ? null : path);
      if (culprit !== null)
        refused.push({
          path,
          error: `It is ignored: ${culprit === path ? 'it' : culprit} can be written by others than root; chown root and chmod go-w it.`,
        });
      return culprit === null;
    });
  return { paths, unreadable: false };
}

function isRootsAlone(path: string): boolean {
  try {
    const { uid, mode } = statSync(path);
    return uid === 0 && (mode & 0o022) === 0 && lstatSync(path).uid === 0;
  } catch {
    return false;
  }
}

function readOne(path: string, faults: string[]): PolicyFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    faults.push(`${path}: could not be read (${(error as Error).message}).`);
    return {};
  }
  return parseFile(policyFileSchema, text, path, faults);
}

/** `allowed` null: forbidden. */
function ruleOf(
  { path, flatpak, snap, user, hash }: Application,
  source: string,
  number: number,
  allowed: NonNullable<PolicyFile['allowedApplications']>[number] | null,
): Rule {
  const group =
    flatpak !== undefined
      ? ({ kind: 'flatpak', id: flatpak } as const)
      : snap !== undefined
        ? ({ kind: 'snap', id: snap } as const)
        : null;
  return {
    id: `policy-${number + 1}`,
    matcher: { user: user ?? null, path: path ?? null, hash: hash ?? null, group, script: null },
    connectOut: allowed !== null && (allowed.connectOut ?? true),
    beReached: allowed?.beReached ?? 'none',
    files: [],
    until: { kind: 'forever' },
    from: 'policy',
    source,
    never: allowed === null,
  };
}
