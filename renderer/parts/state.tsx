// Module parts/state shows a state by shape, colour and word together.
import type { ReactElement, ReactNode } from 'react';

export type Tone = 'good' | 'warn' | 'bad' | 'work' | 'idle';

/** Each tone has a shape of its own: disc with a tick, triangle, square with a cross, broken ring, empty ring. */
const SHAPES: Record<Tone, ReactElement> = {
  good: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="m4.8 8.2 2.2 2.2 4.2-4.6" className="mark-cut" />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.2 15.4 14.5H.6Z" fill="currentColor" />
      <path d="M8 6v4M8 12.2v.01" className="mark-cut" />
    </>
  ),
  bad: (
    <>
      <rect x="1" y="1" width="14" height="14" rx="3" fill="currentColor" />
      <path d="m5.2 5.2 5.6 5.6M10.8 5.2l-5.6 5.6" className="mark-cut" />
    </>
  ),
  work: (
    <>
      <path d="M8 2a6 6 0 1 1-6 6" className="mark-line" />
      <circle cx="8" cy="8" r="2" fill="currentColor" />
    </>
  ),
  idle: <circle cx="8" cy="8" r="5.8" className="mark-line" />,
};

export function Mark({ tone, size = 16 }: { tone: Tone; size?: number }): ReactElement {
  return (
    <svg
      className={`mark tone-${tone}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      {SHAPES[tone]}
    </svg>
  );
}

/** A state in a table or a list. */
export function Word({ tone, children }: { tone: Tone; children: ReactNode }): ReactElement {
  return (
    <span className="word">
      <Mark tone={tone} size={14} />
      <span className="cut">{children}</span>
    </span>
  );
}

export function Pill({ tone, children }: { tone: Tone; children: ReactNode }): ReactElement {
  return (
    <span className={`pill tone-${tone}`}>
      <Mark tone={tone} size={14} />
      {children}
    </span>
  );
}
