// Module app/slow follows a value that changes often, but not more often than a reader needs.
import { useEffect, useRef, useState } from 'react';

/** The value as it was at most `restMs` ago. */
export function useSlow<T>(value: T, restMs: number): T {
  const [slow, setSlow] = useState(value);
  const latest = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    latest.current = value;
    timer.current ??= setTimeout(() => {
      timer.current = null;
      setSlow(latest.current);
    }, restMs);
  }, [value, restMs]);
  useEffect(
    () => () => {
      if (timer.current) clearTimeout(timer.current);
    },
    [],
  );
  return slow;
}
