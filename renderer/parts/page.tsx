// Module parts/page has the frame of a screen and what stands in it: cards, notes, facts, and the picture of emptiness.
import { Fragment } from 'react';
import type { ReactElement, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from './icon.tsx';
import type { IconName } from './icon.tsx';
import { Mark } from './state.tsx';
import type { Tone } from './state.tsx';

/** `whole`: the screen fills the window and scrolls inside. */
export function Page(props: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  whole?: boolean;
  children: ReactNode;
}): ReactElement {
  const { title, lead, actions, whole, children } = props;
  return (
    <main className={whole ? 'screen whole' : 'screen'} id="main" tabIndex={-1}>
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {lead && <p>{lead}</p>}
        </div>
        {actions && <div className="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

export function Card(props: {
  title?: string;
  side?: ReactNode;
  className?: string;
  children: ReactNode;
}): ReactElement {
  return (
    <section className={`card ${props.className ?? ''}`} aria-label={props.title}>
      {props.title && (
        <div className="card-head">
          <h2>{props.title}</h2>
          {props.side}
        </div>
      )}
      {props.children}
    </section>
  );
}

export function SectionHead({
  title,
  children,
}: {
  title: string;
  children?: ReactNode;
}): ReactElement {
  return (
    <div className="section-head">
      <h2>{title}</h2>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Something to know, with what to do about it. `live`: it is read out when it comes. */
export function Note(props: {
  tone: Tone;
  children: ReactNode;
  action?: ReactNode;
  live?: boolean;
}): ReactElement {
  return (
    <div className={`note tone-${props.tone}`} role={props.live ? 'status' : undefined}>
      <Mark tone={props.tone} />
      <div className="note-body">{props.children}</div>
      {props.action}
    </div>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }): ReactElement {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

export function Empty(props: {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}): ReactElement {
  return (
    <div className="empty">
      <Icon name={props.icon} size={32} />
      <strong>{props.title}</strong>
      {props.children && <p>{props.children}</p>}
      {props.action}
    </div>
  );
}

/** Before the first word from the engine. */
export function Loading(): ReactElement {
  const { t } = useTranslation();
  return (
    <main className="screen" id="main" tabIndex={-1} aria-busy="true">
      <div className="empty" role="status">
        <Mark tone="work" size={28} />
        <strong>{t('common.loading')}</strong>
      </div>
    </main>
  );
}
