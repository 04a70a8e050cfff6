// Module service/pc-calls declares the calls about known PCs: the other home by name; service/api takes them in.
import { z } from 'zod';

const name = z.string().trim().min(1).max(64);

export const pcSchema = z.object({
  name: z.string(),
  /** What the user gave: an IPv6 address, or a DNS name. */
  target: z.string(),
  /** Its address as it was seen last; null: the name was not looked up yet, or has none. */
  address: z.string().nullable(),
  kind: z.enum(['teredo', 'native', 'unknown']),
  /** `open`: the way is open, but it answers no ping. */
  state: z.enum(['not-tested', 'reachable', 'open', 'unreachable']),
  /** Why, for those who have words of their own: `not-tested`, `answers`, `no-address`, or why the ping failed. */
  code: z.string(),
  /** Why, one sentence. */
  text: z.string(),
  rttMs: z.number().nullable(),
  /** Which way its answer came. */
  path: z.enum(['direct', 'bubbles', 'relay', 'local', 'hairpin']).nullable(),
  testing: z.boolean(),
  /** Last test, ms since 1970. */
  testedAt: z.number().nullable(),
  /** It may have another address now: accept it with `updatePc`. */
  offer: z
    .object({
      address: z.string(),
      /** Its name leads there, or somebody behind the same router speaks from there. */
      code: z.enum(['name-moved', 'peer-moved']),
      text: z.string(),
    })
    .nullable(),
});

export const pcCalls = {
  pcs: { params: z.strictObject({}), result: z.array(pcSchema) },
  /** Adds a PC, or gives the one of that name another target. */
  setPc: {
    params: z.strictObject({ name, target: z.string().trim().min(1).max(253) }),
    result: pcSchema,
  },
  /** Its address and its last test stay. */
  renamePc: { params: z.strictObject({ name, to: name }), result: pcSchema },
  forgetPc: { params: z.strictObject({ name }), result: z.object({ forgotten: z.boolean() }) },
  /** Looks its name up anew and pings it through the tunnel; takes up to 12 s. */
  testPc: { params: z.strictObject({ name }), result: pcSchema },
  /** Takes the address that is offered. */
  updatePc: { params: z.strictObject({ name }), result: pcSchema },
  /** Text to send to the other home. */
  invitation: {
    params: z.strictObject({}),
    result: z.object({ text: z.string(), address: z.string().nullable() }),
  },
} as const;

export type KnownPc = z.infer<typeof pcSchema>;
