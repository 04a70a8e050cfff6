// Module app/path says how each link of the way out fares: this PC, its router, the server, the Internet.
import type { PeerRow, StatusSlice } from '../../engine/service/slices.ts';
import type { Tone } from '../parts/state.tsx';

export interface LinkState {
  readonly tone: Tone;
  /** A round trip where one was measured, else what is wrong. */
  readonly ms: number | null;
  readonly word: 'good' | 'work' | 'bad' | 'cut' | 'idle' | 'off' | 'unknown';
}

export interface Way {
  /** This PC to its router, to the server, to the Internet. */
  readonly links: readonly [LinkState, LinkState, LinkState];
  /** Peers that are reached past the server, and the fastest of their round trips. */
  readonly direct: { readonly count: number; readonly bestMs: number | null };
}

const link = (word: LinkState['word'], ms: number | null = null): LinkState => ({
  tone: {
    good: 'good' as const,
    work: 'work' as const,
    bad: 'bad' as const,
    cut: 'bad' as const,
    idle: 'idle' as const,
    off: 'idle' as const,
    unknown: 'idle' as const,
  }[word],
  ms,
  word,
});

/** Reasons with which the server, not the network, is silent or says no. */
const SERVER_FAULTS: ReadonlySet<string> = new Set([
  'no-answer',
  'no-traffic',
  'server-junk',
  'server-silent',
  'server-unresolved',
  'key-refused',
  'server-address-refused',
  'mapping-refused',
]);

function least(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

export function wayOf(status: StatusSlice, peers: readonly PeerRow[]): Way {
  const open = peers.filter(({ path }) => path !== null);
  const past = open.filter(({ kind }) => kind !== 'native');
  const native = open.filter(({ kind }) => kind === 'native');
  const direct = { count: past.length, bestMs: least(past.map(({ rttMs }) => rttMs)) };
  const { code } = status.reason;
  if (code === 'no-network')
    return { links: [link('cut'), link('unknown'), link('unknown')], direct };
  const running = ['qualifying', 'qualified', 'refused'].includes(status.state);
  if (!running) {
    // Asleep it wakes by itself; else it is started, paused, or switched off.
    const word = status.state === 'dormant' ? 'idle' : 'off';
    return { links: [link(word), link(word), link(word)], direct };
  }
  const server = SERVER_FAULTS.has(code)
    ? link('bad')
    : status.state === 'qualified'
      ? link('good', status.serverRttMs)
      : link('work');
  const beyond =
    native.length > 0 ? link('good', least(native.map(({ rttMs }) => rttMs))) : link('unknown');
  return { links: [link('good'), server, beyond], direct };
}
