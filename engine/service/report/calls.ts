// Module report/calls declares the call that makes a problem report; service/api takes it in.
import { z } from 'zod';

export const reportCalls = {
  /** State, settings, log, doctor, counters and versions as JSON text, without what tells who or where somebody is. */
  report: { params: z.strictObject({}), result: z.object({ text: z.string() }) },
} as const;
