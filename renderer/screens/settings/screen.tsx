// Module settings/screen has what the person can choose about the app, and what an administrator has chosen.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../app/calls.ts';
import { useSlice, useStore } from '../../app/store.ts';
import { Button, Choices, Switch } from '../../parts/button.tsx';
import { Select } from '../../parts/field.tsx';
import { Line } from '../../parts/line.tsx';
import { Card, Facts, Page } from '../../parts/page.tsx';
import { Pill } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state.tsx';
import { CarryOver, Trouble } from './care.tsx';
import { ServerForm } from '../server-form.tsx';
import { TunnelSettings } from './tunnel.tsx';

const THEMES = ['system', 'light', 'dark'] as const;
const CHOICES = ['ask', 'on', 'off'] as const;
const HELPER_TONES: Record<'installed' | 'missing' | 'working' | 'refused', Tone> = {
  installed: 'good',
  missing: 'idle',
  working: 'work',
  refused: 'warn',
};

function Look(): ReactElement {
  const { t } = useTranslation();
  const { theme, language } = useSlice('shell');
  return (
    <Card title={t('settings.look')}>
      <Line title={t('settings.theme')}>
        <Choices
          label={t('settings.theme')}
          value={theme}
          options={THEMES.map((value) => ({ value, text: t(`settings.themes.${value}`) }))}
          onChange={(value) => void call('setTheme', { theme: value })}
        />
      </Line>
      <Line title={t('settings.language')}>
        <Select
          label={t('settings.language')}
          value={language}
          options={[
            { value: 'system', text: t('settings.languageSystem') },
            { value: 'en', text: 'English' },
            { value: 'ja', text: '日本語' },
          ]}
          onChange={(value) => void call('setLanguage', { language: value })}
        />
      </Line>
    </Card>
  );
}

function Behaviour(): ReactElement {
  const { t } = useTranslation();
  const { autostart, notifications, tray } = useSlice('shell');
  return (
    <Card title={t('settings.behaviour')}>
      <Line
        title={t('settings.autostart')}
        text={tray === false ? t('settings.autostartNoTray') : t('settings.autostartText')}
      >
        <Switch
          on={autostart}
          label={t('settings.autostart')}
          onChange={(on) => void call('setAutostart', { on })}
        />
      </Line>
      <Line title={t('settings.notifications')} text={t('settings.notificationsText')}>
        <Switch
          on={notifications}
          label={t('settings.notifications')}
          onChange={(on) => void call('setNotifications', { on })}
        />
      </Line>
    </Card>
  );
}

/** Whether the tunnel may run, here and on each network for which that was chosen. */
function Networks(): ReactElement {
  const { t } = useTranslation();
  const network = useSlice('network');
  const { tell } = useStore.getState();
  const elsewhere = network.remembered.filter(({ id }) => id !== network.id);
  const options = CHOICES.map((value) => ({ value, text: t(`settings.choices.${value}`) }));
  const forget = async (id: string, choice: (typeof CHOICES)[number]): Promise<void> => {
    if (!(await call('network', { id, choice: 'forget' }))) return;
    // What is forgotten is none that could be chosen for any more, so it can't be taken back.
    tell({
      kind: 'done',
      text: t('settings.networkForgot', { id, choice: t(`settings.choices.${choice}`) }),
    });
  };
  return (
    <Card title={t('settings.networks')}>
      <Line
        title={t('settings.thisNetwork')}
        text={network.id === null ? t('settings.thisNetworkNone') : t('settings.thisNetworkText')}
      >
        {network.id !== null && (
          <Choices
            label={t('settings.thisNetwork')}
            value={network.choice}
            options={options}
            onChange={(choice) => void call('network', { choice })}
          />
        )}
      </Line>
      {elsewhere.map(({ id, choice }) => (
        <Line key={id} title={id}>
          <Select
            label={t('settings.onNetwork', { id })}
            value={choice}
            options={options}
            onChange={(chosen) => void call('network', { id, choice: chosen })}
          />
          <Button
            small
            kind="quiet"
            icon="close"
            label={t('settings.networkForget', { id })}
            onPress={() => void forget(id, choice)}
          />
        </Line>
      ))}
    </Card>
  );
}

function Network(): ReactElement {
  const { t } = useTranslation();
  const { networkKind, server } = useSlice('shell');
  const real = networkKind === 'real';
  return (
    <Card title={t('settings.network')}>
      <Line title={t('settings.builtIn')} text={t('settings.builtInText')}>
        {real ? (
          <Button onPress={() => void call('chooseNetwork', { kind: 'built-in' })}>
            {t('settings.useBuiltIn')}
          </Button>
        ) : (
          <Pill tone="good">{t('settings.usesNow')}</Pill>
        )}
      </Line>
      <Line title={t('settings.real')} text={t('settings.realText')}>
        {real ? (
          <Pill tone="good">{t('settings.usesNow')}</Pill>
        ) : (
          <Button kind="quiet" onPress={() => void call('openGuide', {})}>
            {t('settings.guide')}
          </Button>
        )}
      </Line>
      <ServerForm
        first={server ?? ''}
        action={t('settings.useReal')}
        onServer={async (name) => {
          await call('chooseNetwork', { kind: 'real', server: name });
          return false;
        }}
      />
    </Card>
  );
}

function Helper(): ReactElement {
  const { t } = useTranslation();
  const { state } = useSlice('shell').helper;
  return (
    <Card title={t('settings.helper')}>
      <Line title={t(`settings.helperState.${state}`)} text={t('settings.helperText')}>
        {state === 'installed' ? (
          <Pill tone={HELPER_TONES[state]}>{t(`settings.helperState.${state}`)}</Pill>
        ) : (
          <Button disabled={state === 'working'} onPress={() => void call('installHelper', {})}>
            {t('settings.install')}
          </Button>
        )}
      </Line>
    </Card>
  );
}

function Policy(): ReactElement {
  const { t } = useTranslation();
  const { values, files } = useSlice('policy');
  const locked = values.filter((value) => value.locked);
  return (
    <Card title={t('settings.policy')}>
      {files.length === 0 && locked.length === 0 && (
        <p className="soft">{t('settings.policyNone')}</p>
      )}
      <Facts
        rows={[
          ...files
            .filter(({ error }) => error !== null)
            .map(({ path, error }) => [path, error] as const),
          ...locked.map(
            ({ name, value, source }) =>
              [
                name,
                `${JSON.stringify(value)} · ${t('settings.policyLocked', { source })}`,
              ] as const,
          ),
        ]}
      />
    </Card>
  );
}

function About(): ReactElement {
  const { t } = useTranslation();
  const { version, runtime } = useSlice('shell');
  const text = `Electron ${runtime.electron}, Chromium ${runtime.chrome}, Node ${runtime.node}`;
  return (
    <Card title={t('settings.about')}>
      <Facts
        rows={[
          [t('settings.version'), version],
          [t('settings.runtime'), runtime.trial ? t('common.trial', { text }) : text],
        ]}
      />
      <Line title={t('settings.quit')} text={t('settings.quitText')}>
        <Button onPress={() => void call('quit', {})}>{t('settings.quit')}</Button>
      </Line>
    </Card>
  );
}

const AREAS = ['app', 'tunnel'] as const;
type Area = (typeof AREAS)[number];

export function SettingsScreen(): ReactElement {
  const { t } = useTranslation();
  const [area, setArea] = useState<Area>('app');
  return (
    <Page
      title={t('settings.title')}
      lead={t(`settings.areaLead.${area}`)}
      actions={
        <Choices
          label={t('settings.area')}
          value={area}
          options={AREAS.map((value) => ({ value, text: t(`settings.areas.${value}`) }))}
          onChange={setArea}
        />
      }
    >
      {area === 'tunnel' ? (
        <TunnelSettings />
      ) : (
        <div className="settings">
          <Look />
          <Behaviour />
          <Networks />
          <Network />
          <Helper />
          <Policy />
          <CarryOver />
          <Trouble />
          <About />
        </div>
      )}
    </Page>
  );
}
