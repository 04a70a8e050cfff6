// Module app/app is the window: navigation on the left, one screen beside it, and what is said for a moment below.
import { Tooltip } from 'radix-ui';
import { useEffect } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../parts/button.tsx';
import { Burrow, Icon } from '../parts/icon.tsx';
import type { IconName } from '../parts/icon.tsx';
import { Loading } from '../parts/page.tsx';
import { Mark } from '../parts/state.tsx';
import { ActivityScreen } from '../screens/activity/screen.tsx';
import { ApplicationsScreen } from '../screens/applications/screen.tsx';
import { BuiltInScreen } from '../screens/built-in.tsx';
import { DoctorScreen } from '../screens/doctor.tsx';
import { FirstRun } from '../screens/first-run.tsx';
import { KnownPcsScreen } from '../screens/known-pcs.tsx';
import { PeersScreen } from '../screens/peers.tsx';
import { ServersScreen } from '../screens/servers.tsx';
import { SettingsScreen } from '../screens/settings/screen.tsx';
import { StatusScreen, toneOf, wordOf } from '../screens/status.tsx';
import { chooseLanguage } from '../words/index.ts';
import { useMedia } from './media.ts';
import { useStore, useSlice } from './store.ts';
import type { ScreenName } from './store.ts';

const ICONS: Record<ScreenName, IconName> = {
  status: 'status',
  applications: 'apps',
  knownPcs: 'homes',
  peers: 'peers',
  activity: 'activity',
  doctor: 'doctor',
  servers: 'servers',
  builtIn: 'network',
  settings: 'settings',
};
const VIEWS: Record<ScreenName, () => ReactElement> = {
  status: StatusScreen,
  applications: ApplicationsScreen,
  knownPcs: KnownPcsScreen,
  peers: PeersScreen,
  activity: ActivityScreen,
  doctor: DoctorScreen,
  servers: ServersScreen,
  builtIn: BuiltInScreen,
  settings: SettingsScreen,
};
/** How long something said stays, ms. */
const SAID_MS = 8_000;

/** Keeps the page's theme and language those of the shell. */
function useLook(): void {
  const theme = useSlice('shell').theme;
  const language = useSlice('shell').language;
  const systemDark = useMedia('(prefers-color-scheme: dark)');
  const dark = theme === 'dark' || (theme === 'system' && systemDark);
  useEffect(() => {
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    useStore.setState({ dark });
  }, [dark]);
  useEffect(() => void chooseLanguage(language), [language]);
}

function NavItem({ name, count }: { name: ScreenName; count?: number }): ReactElement {
  const { t } = useTranslation();
  const screen = useStore((store) => store.screen);
  const open = useStore((store) => store.open);
  return (
    <button
      type="button"
      className="nav-item"
      data-screen={name}
      aria-current={screen === name ? 'page' : undefined}
      onClick={() => open(name)}
    >
      <Icon name={ICONS[name]} />
      <span className="cut">{t(`common.screens.${name}`)}</span>
      {count !== undefined && count > 0 && (
        <span className="nav-count" aria-label={t('common.waiting', { count })}>
          {count}
        </span>
      )}
    </button>
  );
}

function Nav(): ReactElement {
  const { t } = useTranslation();
  const status = useSlice('status');
  const { engine, tray } = useSlice('shell');
  const [starting, failed] = [engine.state === 'starting', engine.state === 'failed'];
  const noTray = tray === false;
  const builtIn = useSlice('builtIn') !== null;
  const waiting = useSlice('questions').filter(({ answered }) => !answered).length;
  return (
    <nav className="nav" aria-label={t('common.nav')}>
      <div className="nav-head">
        <Burrow />
        {t('common.appName')}
      </div>
      <NavItem name="status" />
      <NavItem name="applications" count={waiting} />
      <NavItem name="knownPcs" />
      <NavItem name="peers" />
      <NavItem name="activity" />
      <div className="nav-gap" />
      <NavItem name="doctor" />
      <NavItem name="servers" />
      {builtIn && <NavItem name="builtIn" />}
      <NavItem name="settings" />
      {noTray && <p className="nav-note">{t('common.noTray')}</p>}
      <p className="nav-foot">
        <span className="word">
          <Mark tone={starting ? 'work' : failed ? 'bad' : toneOf(status)} size={12} />
          {starting
            ? t('states.state.starting')
            : t(`states.state.${failed ? 'refused' : wordOf(status)}`)}
        </span>
      </p>
    </nav>
  );
}

/** The window runs on the network inside the program: said on every screen, for nothing here is real. */
function Ribbon(): ReactElement | null {
  const { t } = useTranslation();
  const builtIn = useSlice('builtIn') !== null;
  const open = useStore((store) => store.open);
  if (!builtIn) return null;
  return (
    <aside className="ribbon" aria-label={t('common.builtInMark')}>
      <Icon name="network" size={16} />
      <strong>{t('common.builtInMark')}</strong>
      <span className="cut">{t('common.builtInText')}</span>
      <button type="button" className="link" onClick={() => open('builtIn')}>
        {t('common.builtInOpen')}
      </button>
    </aside>
  );
}

function Saying(): ReactElement | null {
  const { t } = useTranslation();
  const saying = useStore((store) => store.saying);
  const tell = useStore((store) => store.tell);
  useEffect(() => {
    if (!saying) return undefined;
    const timer = setTimeout(() => tell(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [saying, tell]);
  if (!saying) return null;
  const { kind, text, undo } = saying;
  const takeBack = (): void => {
    tell(null);
    undo?.();
  };
  return (
    <div className="toast" role={kind === 'failed' ? 'alert' : 'status'}>
      <Mark tone={kind === 'failed' ? 'bad' : 'good'} />
      <span>{kind === 'failed' ? t('common.failed', { text }) : text}</span>
      {undo && (
        <Button small icon="undo" onPress={takeBack}>
          {t('common.undo')}
        </Button>
      )}
      <Button
        small
        kind="quiet"
        icon="close"
        label={t('common.close')}
        onPress={() => tell(null)}
      />
    </div>
  );
}

function Window(): ReactElement {
  const { t } = useTranslation();
  useLook();
  const screen = useStore((store) => store.screen);
  const firstRun = useSlice('shell').firstRun;
  const builtIn = useSlice('builtIn') !== null;
  // The panel goes with its network.
  const View = VIEWS[screen === 'builtIn' && !builtIn ? 'status' : screen];
  useEffect(() => document.getElementById('main')?.focus(), [screen]);
  if (firstRun) return <FirstRun />;
  return (
    <Tooltip.Provider>
      <a className="button skip" href="#main">
        {t('common.skip')}
      </a>
      <div className="frame">
        <Ribbon />
        <div className="window">
          <Nav />
          <View />
        </div>
      </div>
      <Saying />
    </Tooltip.Provider>
  );
}

export function App(): ReactElement {
  const ready = useStore((store) => store.snapshot !== null);
  return ready ? <Window /> : <Loading />;
}
