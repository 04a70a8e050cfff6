// Module builtin/calls declares the calls that show and change the built-in network; service/api takes them in.
import { z } from 'zod';
import { ACCESS } from './places.ts';
import type { AccessKind } from './places.ts';
import { FAULTS } from './faults.ts';
import type { FaultName } from './faults.ts';

const kind = z.enum(Object.keys(ACCESS) as [AccessKind, ...AccessKind[]]);
const fault = z.enum(Object.keys(FAULTS) as [FaultName, ...FaultName[]]);

/** The whole built-in network as a person sees it. */
const builtInSchema = z.object({
  /** Virtual milliseconds for each real one. */
  speed: z.number(),
  /** The kind of router in front of the user's PC, and all that there are. */
  nat: kind,
  kinds: z.array(z.object({ name: kind, text: z.string() })),
  /** `passing`: it is over by itself. */
  faults: z.array(
    z.object({ name: fault, text: z.string(), active: z.boolean(), passing: z.boolean() }),
  ),
  programs: z.array(
    z.object({
      name: z.string(),
      path: z.string(),
      text: z.string(),
      running: z.boolean(),
      allowed: z.boolean(),
      sent: z.number(),
      received: z.number(),
      refused: z.number(),
      remote: z.string().nullable(),
      port: z.number().nullable(),
    }),
  ),
  /** Who can be pinged; a Teredo peer has no address before it has one from its server. */
  hosts: z.array(
    z.object({
      name: z.string(),
      address: z.string().nullable(),
      kind: z.enum(['teredo', 'native']),
      text: z.string(),
    }),
  ),
});

/** One change. */
const changeSchema = z.discriminatedUnion('change', [
  z.strictObject({ change: z.literal('nat'), kind }),
  z.strictObject({ change: z.literal('fault'), name: fault }),
  /** Without a name all faults are mended. */
  z.strictObject({ change: z.literal('heal'), name: fault.optional() }),
  z.strictObject({
    change: z.literal('program'),
    name: z.string(),
    running: z.boolean().optional(),
    allowed: z.boolean().optional(),
  }),
  z.strictObject({ change: z.literal('speed'), speed: z.number().min(0.1).max(100) }),
  /** As it was at the start: the first router, no fault, the first rules and speed. */
  z.strictObject({ change: z.literal('reset') }),
]);

export const builtInCalls = {
  builtIn: { params: z.strictObject({}), result: builtInSchema },
  changeBuiltIn: { params: changeSchema, result: builtInSchema },
} as const;

export type BuiltInState = z.infer<typeof builtInSchema>;
export type BuiltInChange = z.infer<typeof changeSchema>;
