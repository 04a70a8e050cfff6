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
});

const name = z.string().trim().min(1).max(253);

export const serverListCalls = {
  /** The list; `probe` asks each by solicitations first, which takes up to 6 s. */
  servers: {
    params: z.strictObject({ probe: z.boolean().optional() }),
    result: z.array(serverRowSchema),
  },
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
      text: z.string(),
    }),
  },
} as const;

export type ServerRow = z.infer<typeof serverRowSchema>;
