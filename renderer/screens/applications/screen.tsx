// Module applications/screen says what may use the tunnel, who asks, and who could be reached.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { AppRow, ListenerRow } from '../../../engine/service/slices.ts';
import { call } from '../../app/calls.ts';
import { sayCaution } from '../../app/failures.ts';
import { setAppOf } from '../../app/rules.ts';
import { useSlice, useStore } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Empty, Page, SectionHead } from '../../parts/page.tsx';
import { Word } from '../../parts/state.tsx';
import { AllowForm } from './allow.tsx';
import { Questions } from './questions.tsx';
import { RuleRow } from './rule.tsx';

/** `::` and `0.0.0.0` are every address. */
const WILDCARDS: ReadonlySet<string> = new Set(['::', '0.0.0.0']);

function isAbout(app: AppRow, owner: NonNullable<ListenerRow['app']>): boolean {
  if (owner.group || app.group) return app.group?.id === owner.group?.id;
  return app.path === owner.path && app.script === owner.script;
}

function ListenerLine({ row, apps }: { row: ListenerRow; apps: readonly AppRow[] }): ReactElement {
  const { t } = useTranslation();
  const awake = useSlice('status').state === 'qualified';
  const { tell } = useStore.getState();
  const { app: owner, protocol, port, address, v6only, allowed } = row;
  const name = owner?.name ?? t('applications.nobody');
  const rule = owner ? apps.find((app) => isAbout(app, owner)) : undefined;
  const params = owner
    ? setAppOf(rule ?? owner, {
        connectOut: rule?.connectOut ?? false,
        beReached: [...(Array.isArray(rule?.beReached) ? rule.beReached : []), port],
        never: false,
      })
    : null;
  const allow = async (): Promise<void> => {
    const made = params && (await call('setApp', params));
    if (!made) return;
    const before = rule && setAppOf(rule, rule);
    tell({
      kind: 'done',
      text: made.caution ? sayCaution(made.caution) : t('applications.allowed', { name }),
      undo: () =>
        void (before ? call('setApp', before) : call('forgetApp', { which: made.app.id })),
    });
  };
  return (
    <li>
      <div className="grow">
        <p className="title">{name}</p>
        <p className="sub cut" title={owner?.path ?? ''}>
          {protocol.toUpperCase()} {port} ·{' '}
          {WILDCARDS.has(address) ? t('applications.everyAddress') : address}
          {v6only ? ` · ${t('applications.v6only')}` : ''}
          {owner?.path ? ` · ${owner.path}` : ''}
        </p>
      </div>
      <Word tone={allowed ? (awake ? 'warn' : 'idle') : 'good'}>
        {allowed
          ? awake
            ? t('applications.open')
            : t('applications.openAsleep')
          : t('applications.closed')}
      </Word>
      {!allowed && params && rule?.from !== 'policy' && (
        <Button small onPress={() => void allow()}>
          {t('applications.allowIt')}
        </Button>
      )}
    </li>
  );
}

export function ApplicationsScreen(): ReactElement {
  const { t } = useTranslation();
  const apps = useSlice('apps');
  const questions = useSlice('questions');
  const reachable = useSlice('reachable');
  const { attribution, exposure } = useSlice('status');
  const [adding, setAdding] = useState(false);
  const waiting = questions.filter(({ answered }) => !answered);
  const earlier = questions.filter(({ answered }) => answered);
  return (
    <Page
      title={t('applications.title')}
      lead={exposure.mode === 'all' ? t('status.exposedAll') : t('applications.lead')}
      actions={
        !adding && (
          <Button
            kind={waiting.length > 0 ? 'plain' : 'primary'}
            icon="plus"
            onPress={() => setAdding(true)}
          >
            {t('applications.allow')}
          </Button>
        )
      }
    >
      {adding && <AllowForm onDone={() => setAdding(false)} />}
      {waiting.length > 0 && (
        <section aria-label={t('applications.waiting')}>
          <SectionHead title={t('applications.waiting')}>
            {t('applications.waitingText')}
          </SectionHead>
          <Questions rows={waiting} />
        </section>
      )}
      <section aria-label={t('applications.rules')}>
        <SectionHead title={t('applications.rules')} />
        {apps.length === 0 ? (
          <div className="list">
            <Empty icon="apps" title={t('applications.rulesNone')}>
              {t('applications.rulesNoneText')}
            </Empty>
          </div>
        ) : (
          <ul className="list">
            {apps.map((app) => (
              <RuleRow key={app.id} app={app} />
            ))}
          </ul>
        )}
      </section>
      {earlier.length > 0 && (
        <section aria-label={t('applications.refused')}>
          <SectionHead title={t('applications.refused')}>
            {t('applications.refusedText')}
          </SectionHead>
          <Questions rows={earlier} />
        </section>
      )}
      <section aria-label={t('applications.listeners')}>
        <SectionHead title={t('applications.listeners')}>
          {t('applications.listenersText')}
        </SectionHead>
        {reachable.length === 0 ? (
          <p className="list list-note">
            {attribution === null
              ? t('applications.listenersFailed')
              : t('applications.listenersNone')}
          </p>
        ) : (
          <ul className="list">
            {reachable.map((row) => (
              <ListenerLine
                key={`${row.protocol} ${row.address} ${row.port} ${row.app?.path ?? ''}`}
                row={row}
                apps={apps}
              />
            ))}
          </ul>
        )}
      </section>
    </Page>
  );
}
