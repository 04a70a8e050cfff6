// Module hook/calls declares the calls about what a new Teredo address sets off outside; service/api takes them in.
import { z } from 'zod';

const run = z.object({
  /** Ms since 1970. */
  at: z.number(),
  /** Which address was told. */
  address: z.string(),
  /** How it went wrong, the end of a sentence; null: it went well. */
  failure: z.string().nullable(),
});

const hookStateSchema = z.object({
  /** One of them is at work. */
  busy: z.boolean(),
  /** The last run of the command since the start. */
  command: run.nullable(),
  /** The last update of the DNS record since the start; `retryAt` null: it is not tried again. */
  update: run.extend({ retryAt: z.number().nullable() }).nullable(),
});

const none = z.strictObject({});

export const hookCalls = {
  hookState: { params: none, result: hookStateSchema },
  /** Tells the present address as if it were new, and waits for the end. Rejects with 'failed' when nothing is set or there is no address. */
  runHook: { params: none, result: hookStateSchema },
} as const;

export type HookState = z.infer<typeof hookStateSchema>;
