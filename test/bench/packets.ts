// Module bench/packets finds how many UDP packets a second a path carries, and how long one takes there and back.
import type { Lab } from '../lab/kit/lab.ts';
import { SLOW } from '../lab/kit/programs.ts';
import { PORTS, UDP_TOOL } from './paths.ts';
import type { Path } from './paths.ts';

/** A rate is carried when it loses less than this. */
const LOSS = 0.005;
/** The search ends when the rate is known to this part of itself. */
const STEP = 1.12;
const MOST = 400_000;
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

/**
 * The most packets a second of `bytes` that the path carries. A rate must fail twice to be given up: one stall of the machine is
 * no bound. `start`: a guess.
 */
export async function mostPackets(
  lab: Lab,
  { to }: Path,
  bytes: number,
  start: number,
  seconds: number,
): Promise<number> {
  const tried = async (rate: number): Promise<number | null> =>
    (await carried(lab, to, bytes, rate, seconds)) ??
    (await carried(lab, to, bytes, rate, seconds));
  let best = 0;
  let [low, high] = [0, MOST];
  for (let rate = start; high / Math.max(low, 1_000) > STEP && rate <= MOST;) {
    const got = await tried(rate);
    if (got === null) high = rate;
    else {
      best = Math.max(best, got);
      low = rate;
      // The sender itself can't do more.
      if (got < rate * 0.9) break;
    }
    rate = high === MOST ? low * 1.5 : low === 0 ? high / 1.5 : Math.sqrt(low * high);
    if (rate < 5_000) break;
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
