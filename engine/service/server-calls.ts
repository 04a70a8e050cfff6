// Module service/server-calls declares the call by which a user asks for another Teredo server; service/api takes it in.
import { z } from 'zod';

const serverChangeSchema = z.discriminatedUnion('ok', [
  /** It serves us from now on, under a new address. */
  z.object({ ok: z.literal(true), name: z.string(), server: z.string(), address: z.string() }),
  z.object({
    ok: z.literal(false),
    code: z.enum(['no-other-server', 'not-awake', 'no-answer']),
    text: z.string(),
  }),
]);

export const serverCalls = {
  /** Moves to the next of the servers that are set, though the one in use may be well; takes up to 15 s. The one in use stays if none answers. */
  nextServer: { params: z.strictObject({}), result: serverChangeSchema },
} as const;

export type ServerChange = z.infer<typeof serverChangeSchema>;
