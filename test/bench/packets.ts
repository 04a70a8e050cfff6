// Module bench/packets finds how many UDP packets a second a path carries, and how long one takes there and back.
import type { Lab } from '../lab/kit/lab.ts';
import { SLOW } from '../lab/kit/programs.ts';
import { PORTS, UDP_TOOL } from './paths.ts';
import type { Path } from './paths.ts';

/** A rate is carried when it loses less than this. */
const LOSS = 0.005;
/** The rates that are tried, a second: the same ones in every round, so that rounds differ by what was carried alone. */
const RATES = Array.from({ length: 40 }, (_, i) => Math.round(5_000 * 1.12 ** i));
/** How thorough the search is. */
export interface Search {
  /** How long each rate is tried, s. */
  readonly seconds: number;
  /** A rate must fail as often as this to be given up: a stall of the machine is no bound. */
  readonly tries: number;
  /** Every how manyth of the rates is tried at all. */
  readonly step: number;
}
/** The receiver takes a silence of this length for the end, s. */
const SILENCE = 0.3;

/** What arrived a second of `rate` packets a second of `bytes`; null when too many were lost. */
async function carried(
  lab: Lab,
  to: string,
  bytes: number,
  rate: number,
  seconds: number,
): Promise<number | null> {
  const count = lab.start(lab.home2.space, UDP_TOOL, ['receive', `${PORTS.count}`, `${SILENCE}`]);
  await count.says(/ready/, 3_000 * SLOW);
  const args = ['send', to, `${PORTS.count}`, `${bytes}`, `${rate}`, `${seconds}`];
  const { out, err } = await lab.run(lab.home1.space, UDP_TOOL, args);
  if (out === '') throw new Error(err);
  const { sent, seconds: took } = JSON.parse(out) as { sent: number; seconds: number };
  await count.end(40_000);
  const { received } = JSON.parse(count.out) as { received: number };
  return received >= sent * (1 - LOSS) ? received / took : null;
}

/** The most packets a second of `bytes` that the path carries, searched from the rate next to `start` on; 0: not even the least rate. */
export async function mostPackets(
  lab: Lab,
  { to }: Path,
  bytes: number,
  start: number,
  { seconds, tries, step }: Search,
): Promise<number> {
  const rates = RATES.filter((_, i) => i % step === 0);
  const tried = async (rate: number): Promise<number | null> => {
    let got: number | null = null;
    for (let i = 0; i < tries && got === null; i++)
      got = await carried(lab, to, bytes, rate, seconds);
    return got;
  };
  let best = 0;
  // The highest rate that is carried, the lowest that is not.
  let [low, high] = [-1, rates.length];
  let at = Math.max(
    0,
    rates.findLastIndex((rate) => rate <= start),
  );
  for (let stride = 1; high - low > 1; stride *= 2) {
    const got = await tried(rates[at]!);
    if (got === null) high = at;
    else {
      low = at;
      best = Math.max(best, got);
      // The sender itself can't do more.
      if (got < rates[at]! * 0.9) break;
    }
    if (low < 0) at = Math.max(0, high - stride);
    else if (high === rates.length) at = Math.min(high - 1, low + stride);
    else at = (low + high) >> 1;
  }
  return best;
}

export interface RoundTrip {
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** Round trips of small packets between two programs at the ends of the path. */
export async function roundTrip(lab: Lab, { to }: Path, count: number): Promise<RoundTrip> {
  const args = ['ping', to, `${PORTS.echo}`, `${count}`, '0.001'];
  const { out, err } = await lab.run(lab.home1.space, UDP_TOOL, args, { timeoutMs: 120_000 });
  const { answered, p50, p99 } = JSON.parse(out || '{}') as RoundTrip & { answered?: number };
  if (!answered) throw new Error(`no round trip to ${to}: ${err}`);
  return { p50, p99 };
}
