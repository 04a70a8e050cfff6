// Module service/doctor-calls declares the calls of the doctor; service/api takes them in.
import { z } from 'zod';
import { isSaying } from './doctor/sayings.ts';
import type { Saying } from './doctor/sayings.ts';

const result = z.enum(['good', 'bad', 'unknown']);
/** A sentence by its code of doctor/sayings, and what stands in its places. */
const saying = z.custom<Saying>(isSaying, 'is no saying');
export const sayings = z.array(saying).readonly();

/** One check that was made. */
export const doctorCheckSchema = z.object({
  /** Never renamed; listed in docs/codes.md. */
  code: z.string(),
  title: z.string(),
  result,
  /** What was seen, one or two sentences. */
  evidence: z.string(),
  /** One thing to do; null when there is none. */
  action: z.string().nullable(),
  /** Both by codes, for other languages. */
  seen: sayings,
  todo: saying.nullable(),
  /** Codes of the checks that it rests on. */
  dependsOn: z.array(z.string()),
});

export const doctorReportSchema = z.object({
  /** When it was made, ms since 1970. */
  at: z.number(),
  /** It is about the network inside the process. */
  builtIn: z.boolean(),
  /** A client was running, and its own socket was asked. */
  client: z.boolean(),
  checks: z.array(doctorCheckSchema),
  verdict: z.object({
    /** Nothing stands in the way of an address. */
    ok: z.boolean(),
    code: z.enum([
      'works',
      'limited',
      'ready',
      'asking',
      'asleep',
      'unneeded',
      'prevented',
      'unclear',
    ]),
    text: z.string(),
    /** The same by codes. */
    seen: sayings,
    /** The check that it rests on. */
    check: z.string().nullable(),
  }),
  /** What lies beyond this program everywhere. */
  beyond: z.array(z.string()),
});

/** The last report, and how far a new one is. */
const doctorStateSchema = z.object({
  report: doctorReportSchema.nullable(),
  /** Checks under way: their codes and titles; empty when none is. */
  running: z.array(z.object({ code: z.string(), title: z.string() })),
});

export const doctorCalls = {
  /** Looks anew; takes up to 15 s, `thorough` a minute. One at a time: a second call gets the report of the first. */
  doctor: {
    params: z.strictObject({ thorough: z.boolean().optional() }),
    result: doctorReportSchema,
  },
  doctorState: { params: z.strictObject({}), result: doctorStateSchema },
} as const;

export type DoctorReport = z.infer<typeof doctorReportSchema>;
export type DoctorState = z.infer<typeof doctorStateSchema>;
