// Module capture/calls declares the calls that capture the tunnel's datagrams; service/api takes them in.
import { z } from 'zod';

const captureStateSchema = z.object({
  running: z.boolean(),
  packets: z.number(),
  /** Of the file so far. */
  bytes: z.number(),
  /** Datagrams that came faster than they could be kept. */
  dropped: z.number(),
  limitBytes: z.number(),
  /** Ms since 1970; null: none was begun since the start. */
  startedAt: z.number().nullable(),
  /** Why it ended, if nobody ended it. */
  end: z.enum(['full', 'nobody-reads']).nullable(),
  text: z.string().nullable(),
});

const none = z.strictObject({});

export const captureCalls = {
  captureState: { params: none, result: captureStateSchema },
  /** Begins one; it ends at `limitBytes`, or when nobody takes what was captured for ten seconds. */
  beginCapture: {
    params: z.strictObject({
      limitBytes: z.number().int().min(10_000).max(4_000_000_000).optional(),
      /** The IPv6 packets from inside the datagrams, without IPv4 and UDP. */
      inner: z.boolean().optional(),
    }),
    result: captureStateSchema,
  },
  /** What came since the last time: a piece of a pcapng file, in base64. The pieces in their order are the file. */
  takeCaptured: {
    params: none,
    result: captureStateSchema.extend({ data: z.string() }),
  },
  /** Ends it; what is left is taken by `takeCaptured`. */
  endCapture: { params: none, result: captureStateSchema },
} as const;

export type CaptureState = z.infer<typeof captureStateSchema>;
