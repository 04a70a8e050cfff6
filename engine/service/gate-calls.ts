// Module service/gate-calls declares the calls about applications, flows, questions and policy; service/api takes them in.
import { z } from 'zod';
import { pageSchema } from './paging.ts';

const port = z.number().int().min(1).max(65_535);
const reach = z.union([z.enum(['none', 'all']), z.array(port).min(1)]);
const groupKind = z.enum(['flatpak', 'snap', 'appimage', 'systemd', 'container', 'run']);
const group = z.object({ kind: groupKind, id: z.string() });

/** One application as a person sees it. */
const program = {
  name: z.string(),
  path: z.string().nullable(),
  /** What an interpreter runs. */
  script: z.string().nullable(),
  group: group.nullable(),
  user: z.number().nullable(),
};

/** What a person should know of a rule that was just made. */
const cautionSchema = z.object({
  code: z.enum(['policy-decides', 'script', 'interpreter', 'other-user']),
  /** One sentence. */
  text: z.string(),
  /** What it names, for a window that says it in another language. */
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type Caution = z.infer<typeof cautionSchema>;

/** One rule. */
const appSchema = z.object({
  id: z.string(),
  ...program,
  /** The rule is about this content of the file alone. */
  pinned: z.boolean(),
  connectOut: z.boolean(),
  beReached: z.union([z.enum(['none', 'all']), z.array(port)]),
  /** Refused without being asked about. */
  never: z.boolean(),
  /** `forever`, `quit`, or a time (ISO 8601). */
  until: z.string(),
  from: z.enum(['user', 'policy']),
  /** The policy file; null for the user's own. */
  source: z.string().nullable(),
});

const confidence = z.enum(['exact', 'shared', 'inferred', 'unknown']);

const flowSchema = z.object({
  protocol: z.string(),
  local: z.string(),
  localPort: z.number(),
  remote: z.string(),
  remotePort: z.number(),
  direction: z.enum(['out', 'in']),
  verdict: z.enum(['pass', 'drop', 'refuse']),
  reason: z.string(),
  /** Null: nobody was found. */
  app: z.object(program).nullable(),
  pid: z.number().nullable(),
  confidence,
  idleMs: z.number(),
});

const questionSchema = z.object({
  id: z.string(),
  ...program,
  confidence,
  reason: z.string(),
  protocol: z.string(),
  remote: z.string(),
  remotePort: z.number(),
  times: z.number(),
  firstAgoMs: z.number(),
  lastAgoMs: z.number(),
  answered: z.boolean(),
});

/** One program that listens where the tunnel could be reached. */
const listenerSchema = z.object({
  protocol: z.string(),
  port: z.number(),
  /** `::` is every address. */
  address: z.string(),
  v6only: z.boolean(),
  app: z.object(program).nullable(),
  confidence,
  allowed: z.boolean(),
});

const policySchema = z.object({
  /** Files that were read, and what was wrong with those that were refused. */
  files: z.array(z.object({ path: z.string(), error: z.string().nullable() })),
  /** Every effective value, and where it comes from. */
  values: z.array(
    z.object({ name: z.string(), value: z.unknown(), source: z.string(), locked: z.boolean() }),
  ),
  apps: z.array(appSchema),
});

const networkChoice = z.enum(['ask', 'on', 'off']);

const networkSchema = z.object({
  /** The network that this PC is on. */
  id: z.string().nullable(),
  choice: networkChoice,
  /** Every network for which something was chosen, the one here among them. */
  remembered: z.array(z.object({ id: z.string(), choice: networkChoice })),
});

const none = z.strictObject({});

export const gateCalls = {
  apps: { params: none, result: z.array(appSchema) },
  /** Allows or forbids; instead of the rule that was there about the same application. */
  setApp: {
    params: z.strictObject({
      /** Absolute path of a program or script, or a group. */
      path: z.string().startsWith('/', 'must be an absolute path').optional(),
      group: group.optional(),
      user: z.number().int().min(0).optional(),
      connectOut: z.boolean(),
      beReached: reach,
      never: z.boolean(),
      forSeconds: z.number().min(1).optional(),
      /** Until its last process has ended; with `pid`, until that process has. */
      untilQuit: z.boolean().optional(),
      pid: z.number().int().min(1).optional(),
      /** Where interpreters of scripts are looked for. */
      searchPath: z.string().optional(),
    }),
    result: z.object({
      app: appSchema,
      /** One sentence. */
      warning: z.string().nullable(),
      caution: cautionSchema.nullable(),
    }),
  },
  /** Forgets rules by id, path, or name. */
  forgetApp: {
    params: z.strictObject({ which: z.string() }),
    result: z.object({ forgotten: z.number() }),
  },
  reachable: { params: none, result: z.array(listenerSchema) },
  flows: { params: pageSchema, result: z.array(flowSchema) },
  questions: { params: none, result: z.array(questionSchema) },
  answer: {
    params: z.strictObject({
      id: z.string(),
      answer: z.enum(['allow', 'until-quit', 'not-now', 'never']),
    }),
    result: z.object({ app: appSchema.nullable() }),
  },
  policy: { params: none, result: policySchema },
  network: {
    params: z.strictObject({
      /** `forget`: what counts on networks that are new counts there, too. */
      choice: z.enum([...networkChoice.options, 'forget']).optional(),
      /** One of the remembered networks; else the one here. */
      id: z.string().max(1_000).optional(),
    }),
    result: networkSchema,
  },
} as const;
