// Module service/server-list-calls declares the calls about Teredo servers and about a relay of one's own; service/api takes them in.
import { z } from 'zod';

/** What is known of one address of a server. */
const answer = z.object({ rttMs: z.number().nullable() });

export const serverRowSchema = z.object({
  name: z.string(),
  /** Where it comes from: the settings, the user's own list, or the list of public ones that are known by name. */
  from: z.enum(['settings', 'own', 'known']),
  /** `not-verified`: it was not asked since the start, and nobody promises that it lives. */
  state: z.enum(['not-verified', 'answers', 'silent', 'not-found', 'refuses']),
  /** Why, for those who have words of their own. */
  code: z.enum([
    'not-asked',
    'not-found',
    'no-public-address',
    'wants-key',
    'nobody-there',
    'silent',
    'answers',
    'answers-half',
  ]),
  /** One sentence. */
  text: z.string(),
  address: z.string().nullable(),
  primary: answer,
  secondary: answer,
  /** The tunnel uses it now. */
  inUse: z.boolean(),
  /** The best of those that answer. */
  suggested: z.boolean(),
  /** Last answer, ms since 1970. */
  answeredAt: z.number().nullable(),
  /** Last probe that ended, ms since 1970. */
  probedAt: z.number().nullable(),
  probing: z.boolean(),
  /** Place in the order in which the settings name them, from 1; null: it is never used by itself. */
  order: z.number().nullable(),
});

/** Whether another server would take over. */
export const failoverSchema = z.object({
  code: z.enum(['off', 'single', 'asleep', 'ready', 'server-silent']),
  /** One sentence. */
  text: z.string(),
  /** Silence after which another is asked, s; 0: never. */
  afterSeconds: z.number(),
  /** The policy file that sets the servers; null: none does. */
  locked: z.string().nullable(),
  /** The last change of the server, told for a day. */
  change: z
    .object({ code: z.enum(['server-changed', 'server-setting-changed']), text: z.string() })
    .nullable(),
});

const name = z.string().trim().min(1).max(253);

export const serverListCalls = {
  /** The list; `probe` asks each by solicitations first, which takes up to 6 s; `name`: only that one. */
  servers: {
    params: z.strictObject({ probe: z.boolean().optional(), name: name.optional() }),
    result: z.array(serverRowSchema),
  },
  failover: { params: z.strictObject({}), result: failoverSchema },
  /** Puts a server on the user's own list. */
  addServer: { params: z.strictObject({ name }), result: z.array(serverRowSchema) },
  removeServer: { params: z.strictObject({ name }), result: z.array(serverRowSchema) },
  /** What can be seen of a relay of one's own from here: is a native host reached, and who carried it? */
  checkRelay: {
    params: z.strictObject({
      /** A native host behind it, or the relay's own IPv6 address. */
      address: z.string(),
    }),
    result: z.object({
      ok: z.boolean(),
      /** IPv4 address and port of the relay that carried it. */
      carriedBy: z.string().nullable(),
      rttMs: z.number().nullable(),
      /** `answers`, `no-relay` (it is no host behind one), or why the ping failed. */
      code: z.string(),
      text: z.string(),
    }),
  },
} as const;

export type ServerRow = z.infer<typeof serverRowSchema>;
export type Failover = z.infer<typeof failoverSchema>;
