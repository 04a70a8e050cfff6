// Module app/store holds what the engine last said, and what the person looks at; it decides nothing.
import { create } from 'zustand';
import { applyUpdate } from '../../engine/service/slices.ts';
import type { Snapshot, Traffic, Update } from '../../engine/service/slices.ts';

export const SCREENS = [
  'status',
  'applications',
  'knownPcs',
  'peers',
  'activity',
  'doctor',
  'servers',
  'builtIn',
  'settings',
] as const;
export type ScreenName = (typeof SCREENS)[number];

/** Something that the window says for a moment. */
export interface Saying {
  readonly kind: 'failed' | 'done';
  readonly text: string;
  /** Takes back what was done. */
  readonly undo?: () => void;
}

interface Store {
  readonly snapshot: Snapshot | null;
  /** Totals of the last two minutes, oldest first: the graph's memory, for the engine keeps none. */
  readonly traffic: readonly Traffic[];
  readonly screen: ScreenName;
  readonly saying: Saying | null;
  /** The theme that the choice comes to. */
  readonly dark: boolean;
  readonly take: (update: Update) => void;
  readonly open: (screen: ScreenName) => void;
  readonly tell: (saying: Saying | null) => void;
}

export const TRAFFIC_MS = 120_000;

export const useStore = create<Store>((set) => ({
  snapshot: null,
  traffic: [],
  screen: 'status',
  saying: null,
  dark: false,
  take: (update) =>
    set(({ snapshot, traffic }) => {
      const next = applyUpdate(snapshot, update);
      return { snapshot: next, traffic: remembered(traffic, next.traffic) };
    }),
  open: (screen) => set({ screen }),
  tell: (saying) => set({ saying }),
}));

/** Totals that fell are those of another engine: what was before counts no more. */
function remembered(traffic: readonly Traffic[], now: Traffic): readonly Traffic[] {
  const last = traffic.at(-1);
  if (now.at === 0 || last?.at === now.at) return traffic;
  if (last && (now.bytesIn < last.bytesIn || now.bytesOut < last.bytesOut)) return [now];
  // One before the window begins, so that the graph reaches its edge.
  const first = traffic.findIndex(({ at }) => at >= now.at - TRAFFIC_MS);
  return [...traffic.slice(Math.max(0, first - 1)), now];
}

/** A path as a person knows it: their own folder is `~`. */
export function shortPath(path: string): string {
  const home = useStore.getState().snapshot?.shell.home;
  if (!home) return path;
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** The engine's time, ms since 1970: it goes on with each update, so that ages on the screen are those of its values. */
export function useNow(): number {
  return useStore(({ snapshot }) => snapshot!.traffic.at);
}

/** One slice of the snapshot; only for what is shown once there is one. */
export function useSlice<K extends keyof Snapshot>(name: K): Snapshot[K] {
  return useStore(({ snapshot }) => snapshot![name]);
}
