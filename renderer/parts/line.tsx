// Module parts/line is one setting: its name, what it means, and what changes it.
import type { ReactElement, ReactNode } from 'react';

export function Line(props: { title: string; text?: string; children: ReactNode }): ReactElement {
  return (
    <div className="setting">
      <div className="grow">
        <p className="label">{props.title}</p>
        {props.text && <p className="soft">{props.text}</p>}
      </div>
      {props.children}
    </div>
  );
}
