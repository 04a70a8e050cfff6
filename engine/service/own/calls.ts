// Module own/calls declares the call that checks one's own server and relay from outside; service/api takes it in.
import { z } from 'zod';
import { doctorCheckSchema, sayings } from '../doctor-calls.ts';

const host = z.string().trim().min(1).max(253);

const ownParams = z.strictObject({
  /** Name or IPv4 address of the server. */
  server: host,
  /** Its other IPv4 address; the next one if none is named. */
  secondary: host.optional(),
  /** IPv4 address of the relay that is one's own. */
  relay: host.optional(),
  /** A native host whose way back should be that relay: IPv6 address or name; root name servers if none is named. */
  native: host.optional(),
  /** Closed labs: private addresses are fine. */
  allowPrivate: z.boolean().optional(),
});

export const ownReportSchema = z.object({
  /** When it was made, ms since 1970. */
  at: z.number(),
  /** It is about the network inside the process. */
  builtIn: z.boolean(),
  /** What was asked for. */
  asked: ownParams,
  checks: z.array(doctorCheckSchema),
  verdict: z.object({
    /** Server and relay do what they are for. */
    ok: z.boolean(),
    code: z.enum(['works', 'limited', 'partly', 'fails', 'unclear', 'prevented']),
    text: z.string(),
    /** The same by codes. */
    seen: sayings,
    /** The check that it rests on. */
    check: z.string().nullable(),
    /** Title of the chapter of docs/run-your-own.md that says more. */
    chapter: z.string(),
  }),
});

export const ownStateSchema = z.object({
  /** The last one. */
  report: ownReportSchema.nullable(),
  /** What is being looked at; null: nothing is. */
  running: ownParams.nullable(),
});

export const ownCalls = {
  /**
   * Looks at a server, and at the relay behind it, from here, by sockets of its own: takes up to 30 s. One at a time, and one each 10 s: a
   * call that comes sooner waits.
   */
  checkOwn: { params: ownParams, result: ownReportSchema },
  ownState: { params: z.strictObject({}), result: ownStateSchema },
} as const;

export type OwnParams = z.infer<typeof ownParams>;
export type OwnReport = z.infer<typeof ownReportSchema>;
export type OwnState = z.infer<typeof ownStateSchema>;
