// Module app/media follows what the window is like: its size, and what the person asked the system for.
import { useSyncExternalStore } from 'react';

/** Whether the CSS media query `query` holds just now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const list = matchMedia(query);
      list.addEventListener('change', onChange);
      return () => list.removeEventListener('change', onChange);
    },
    () => matchMedia(query).matches,
  );
}
