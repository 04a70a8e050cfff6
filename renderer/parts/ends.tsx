// Module parts/ends shows a long address in little room: what tells it from others stands at its end, so its middle is cut.
import type { ReactElement } from 'react';

/** The last two groups, with a port if there is one, stay whole. */
export function Ends({ text }: { text: string }): ReactElement {
  const at = text.search(/:[^:]*:[^:\]]*(\](:\d+)?)?$/);
  const split = at < 0 ? text.length : at;
  return (
    <span className="ends">
      <span className="cut">{text.slice(0, split)}</span>
      <span>{text.slice(split)}</span>
    </span>
  );
}
