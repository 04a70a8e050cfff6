// Module applications/rule is one decision: what the application may do, until when, and who said so.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { AppRow } from '../../../engine/service/slices.ts';
import { call } from '../../app/calls.ts';
import { formatClock } from '../../app/format.ts';
import { change, portsOf, setAppOf } from '../../app/rules.ts';
import { useStore } from '../../app/store.ts';
import { Button, Switch } from '../../parts/button.tsx';
import { Field } from '../../parts/field.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Menu } from '../../parts/menu.tsx';
import { Word } from '../../parts/state.tsx';

function useDetails(app: AppRow): string {
  const { t, i18n } = useTranslation();
  const { pinned, until, beReached } = app;
  const parts = [
    app.script ?? app.path ?? app.group?.id ?? '',
    Array.isArray(beReached) && t('applications.portsList', { ports: beReached.join(', ') }),
    beReached === 'all' && t('applications.portsAll'),
    until === 'quit' && t('applications.untilQuit'),
    until !== 'quit' &&
      until !== 'forever' &&
      t('applications.untilTime', { time: formatClock(Date.parse(until), i18n.language) }),
    pinned && t('applications.pinned'),
  ];
  return parts.filter((part) => part !== false && part !== '').join(' · ');
}

/** Changes the rule and offers to take it back. */
function useChange(app: AppRow): (decision: Parameters<typeof change>[1]) => void {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  return (decision) => {
    void change(app, decision).then((done) => {
      if (!done) return;
      const undo = (): void => void change(app, {});
      tell({ kind: 'done', text: t('applications.changed', { name: app.name }), undo });
    });
  };
}

function Ports(props: { app: AppRow; onDone: () => void }): ReactElement {
  const { app, onDone } = props;
  const { t } = useTranslation();
  const set = useChange(app);
  const [text, setText] = useState(Array.isArray(app.beReached) ? app.beReached.join(', ') : '');
  const ports = portsOf(text);
  const save = (): void => {
    if (ports === null) return;
    set({ beReached: ports });
    onDone();
  };
  return (
    <form
      className="rule-ports"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <Field
        label={t('applications.ports')}
        value={text}
        onChange={setText}
        hint={t('applications.portsHint')}
        wrong={ports === null ? t('applications.portsWrong') : null}
      />
      <Button submit disabled={ports === null}>
        {t('common.save')}
      </Button>
      <Button kind="quiet" onPress={onDone}>
        {t('common.cancel')}
      </Button>
    </form>
  );
}

function Actions(props: { app: AppRow; onPorts: () => void }): ReactElement {
  const { app, onPorts } = props;
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const set = useChange(app);
  const { name, never } = app;
  const forget = async (): Promise<void> => {
    const again = setAppOf(app, app);
    if (!(await call('forgetApp', { which: app.id }))) return;
    const undo = again && (() => void call('setApp', again));
    tell({ kind: 'done', text: t('applications.forgot', { name }), ...(undo && { undo }) });
  };
  return (
    <Menu
      quiet
      icon="more"
      label={t('applications.more', { name })}
      items={[
        ...(never ? [] : [{ text: t('applications.changePorts'), onPress: onPorts }]),
        never
          ? {
              text: t('applications.makeAllowed'),
              onPress: () => set({ never: false, connectOut: true, beReached: 'none' }),
            }
          : {
              text: t('applications.makeNever'),
              onPress: () => set({ never: true, connectOut: false, beReached: 'none' }),
            },
        { text: t('applications.forget'), onPress: () => void forget() },
      ]}
    />
  );
}

export function RuleRow({ app }: { app: AppRow }): ReactElement {
  const { t } = useTranslation();
  const set = useChange(app);
  const details = useDetails(app);
  const [choosing, setChoosing] = useState(false);
  const { name, never, connectOut, beReached, from, source } = app;
  const locked = from === 'policy';
  return (
    <li className="rule">
      <div className="rule-line">
        <div className="grow">
          <p className="title">
            {name}
            {locked && (
              <span
                className="word soft"
                title={t('applications.locked', { source: source ?? '' })}
              >
                <Icon name="lock" size={14} />
              </span>
            )}
          </p>
          <p className="sub cut" title={details}>
            {locked ? `${t('applications.locked', { source: source ?? '' })} · ` : ''}
            {details}
          </p>
        </div>
        {never ? (
          <Word tone="bad">{t('applications.never')}</Word>
        ) : (
          <>
            <label className="rule-switch">
              <Switch
                on={connectOut}
                disabled={locked}
                label={t('applications.connectOutOf', { name })}
                onChange={(on) => set({ connectOut: on })}
              />
              <span aria-hidden="true">{t('applications.connectOut')}</span>
            </label>
            <label className="rule-switch">
              <Switch
                on={beReached !== 'none'}
                disabled={locked}
                label={t('applications.beReachedOf', { name })}
                onChange={(on) => set({ beReached: on ? 'all' : 'none' })}
              />
              <span aria-hidden="true">{t('applications.beReached')}</span>
            </label>
          </>
        )}
        {!locked && <Actions app={app} onPorts={() => setChoosing(true)} />}
      </div>
      {choosing && <Ports app={app} onDone={() => setChoosing(false)} />}
    </li>
  );
}
