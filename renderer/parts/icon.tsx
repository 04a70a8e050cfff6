// Module parts/icon draws the pictures of the app: 20 by 20 lines for navigation and actions, and the burrow as its mark.
import type { ReactElement } from 'react';

const PATHS = {
  status: 'M3 11h3l2.5-6 3.5 10 2.5-6 1 2H17',
  apps: 'M3.5 3.5h5v5h-5zM11.5 3.5h5v5h-5zM3.5 11.5h5v5h-5zM11.5 14h5M14 11.5v5',
  peers:
    'M7 9a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM2.5 16c0-3 2-4.5 4.5-4.5s4.5 1.5 4.5 4.5M13 9.5a2 2 0 1 0 0-4M14 12c2 .3 3.5 1.6 3.5 4',
  activity: 'M3 5h14M3 10h9M3 15h12',
  doctor:
    'M5 3v4a4 4 0 0 0 8 0V3M5 3h1.5M13 3h-1.5M9 11v2.5a3.5 3.5 0 0 0 7 0V11.5M16 11.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z',
  homes: 'M3 9.5 10 4l7 5.5M5 8.5V16h10V8.5M8.5 16v-4h3v4',
  servers: 'M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6 6.5h.01M6 13.5h.01M9 6.5h5M9 13.5h5',
  settings:
    'M4 6h7M14.5 6H16M4 14h1.5M9 14h7M12.8 7.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM7.2 15.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z',
  network:
    'M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM3.5 10h13M10 3.5c2 2 2.5 4 2.5 6.5s-.5 4.5-2.5 6.5c-2-2-2.5-4-2.5-6.5S8 5.5 10 3.5Z',
  copy: 'M7 7h9v9H7zM13 7V4H4v9h3',
  check: 'm4 10.5 4 4 8-9',
  close: 'm5 5 10 10M15 5 5 15',
  down: 'm5.5 8 4.5 4.5L14.5 8',
  up: 'm5.5 12 4.5-4.5 4.5 4.5',
  right: 'm8 5.5 4.5 4.5L8 14.5',
  lock: 'M5 9h10v7H5zM7 9V7a3 3 0 0 1 6 0v2',
  undo: 'M7 5 3.5 8.5 7 12M4 8.5h7.5a4 4 0 0 1 0 8H8',
  more: 'M5 10h.01M10 10h.01M15 10h.01',
  pause: 'M7 5v10M13 5v10',
  play: 'M7 4.5v11l8.5-5.5Z',
  router:
    'M3 11h14v5H3zM6 13.5h.01M9 13.5h.01M10 8.5V11M7 7.5a4.2 4.2 0 0 1 6 0M5 5.3a7 7 0 0 1 10 0',
  pc: 'M3 4h14v9H3zM8 16.5h4M10 13v3.5',
  search: 'M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4',
  save: 'M10 3v9M6 8.5l4 4 4-4M4 16.5h12',
  plus: 'M10 4v12M4 10h12',
  bell: 'M5 13.5V9a5 5 0 0 1 10 0v4.5l1.5 1.5h-13zM8.5 17h3',
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration only: what it means stands beside it, or in the name of its button. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }): ReactElement {
  const heavy = name === 'more';
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={heavy ? 2.4 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A shipworm's burrow: one curved line through a block of wood. */
export function Burrow({ size = 24 }: { size?: number }): ReactElement {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <rect className="burrow-wood" x="1.5" y="1.5" width="21" height="21" rx="5" />
      <path className="burrow-grain" d="M5 2v20M19 2v20" />
      <path className="burrow-line" d="M1.5 16.5c6 0 5-9 10.5-9s4.5 9 10.5 9" />
    </svg>
  );
}
