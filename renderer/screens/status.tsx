// Module screens/status is the first screen: one sentence, one picture, the address, the traffic, and who can be reached.
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { Snapshot } from '../../engine/service/slices.ts';
import { call } from '../app/calls.ts';
import { sayFailure } from '../app/failures.ts';
import { formatClock, formatRate } from '../app/format.ts';
import { useMedia } from '../app/media.ts';
import { useStore, useSlice } from '../app/store.ts';
import { useReason } from '../app/reasons.ts';
import { Address } from '../parts/address.tsx';
import { Button, CopyButton } from '../parts/button.tsx';
import { Graph, ratesOf } from '../parts/graph.tsx';
import { Menu } from '../parts/menu.tsx';
import { Card } from '../parts/page.tsx';
import { PathPicture } from '../parts/path-picture.tsx';
import { Mark } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';

const TONES: Record<Snapshot['status']['state'], Tone> = {
  off: 'idle',
  unneeded: 'idle',
  managed: 'idle',
  dormant: 'idle',
  qualifying: 'work',
  qualified: 'good',
  refused: 'warn',
  unknown: 'idle',
};
/** The state is as it should be, and yet somebody has to do something. */
const NEEDS_YOU: ReadonlySet<string> = new Set([
  'network-asks',
  'rules-damaged',
  'no-network',
  'key-refused',
  'mapping-refused',
  'server-address-refused',
]);
/** Asking has gone on for longer than one answer takes. */
const FAILING: ReadonlySet<string> = new Set([
  'no-answer',
  'no-traffic',
  'server-junk',
  'server-silent',
  'server-unresolved',
]);

export function toneOf({ state, reason }: Snapshot['status']): Tone {
  if (NEEDS_YOU.has(reason.code) || FAILING.has(reason.code)) return 'warn';
  return TONES[state];
}

/** Which words say `status`: an address whose server has fallen silent is not said to work. */
export const wordOf = ({
  state,
  reason,
}: Snapshot['status']): Snapshot['status']['state'] | 'silent' =>
  state === 'qualified' && reason.code === 'server-silent' ? 'silent' : state;

function PauseMenu(): ReactElement {
  const { t } = useTranslation();
  const pause = (minutes: number | null) => ({
    text: minutes === null ? t('status.pauseOpen') : t('status.pauseFor', { minutes }),
    onPress: () => void call('pause', { minutes }),
  });
  return (
    <Menu icon="pause" items={[pause(5), pause(15), pause(60), pause(null)]}>
      {t('status.pause')}
    </Menu>
  );
}

/** Failures that the helper would mend. */
const NEEDS_HELPER: ReadonlySet<string> = new Set(['no-privilege', 'helper-missing']);

/** What helps most just now; null: nothing is needed. */
function MainAction(): ReactElement | null {
  const { t } = useTranslation();
  const { reason } = useSlice('status');
  const { engine, helper, networkKind } = useSlice('shell');
  const { open } = useStore.getState();
  const button = (text: string, onPress: () => void): ReactElement => (
    <Button kind="primary" onPress={onPress}>
      {text}
    </Button>
  );
  if (engine.state === 'failed') {
    if (!NEEDS_HELPER.has(engine.code ?? ''))
      return button(t('common.screens.settings'), () => open('settings'));
    return helper.state === 'installed'
      ? button(t('status.askAgain'), () => void call('chooseNetwork', { kind: networkKind }))
      : button(t('settings.install'), () => void call('installHelper', {}));
  }
  if (reason.code === 'network-asks')
    return button(t('status.useHere'), () => void call('network', { choice: 'on' }));
  if (reason.code === 'nothing-allowed' || reason.code === 'rules-damaged')
    return button(t('status.allowOne'), () => open('applications'));
  if (NEEDS_YOU.has(reason.code) || FAILING.has(reason.code))
    return button(t('status.runDoctor'), () => open('doctor'));
  return null;
}

/** The sentence at the head, and why. */
function useHead(): { tone: Tone; title: string; text: string } {
  const { t, i18n } = useTranslation();
  const status = useSlice('status');
  const { paused, engine, helper } = useSlice('shell');
  const reason = useReason(status.reason);
  if (engine.state === 'failed') {
    const code = engine.code ?? '';
    const without = helper.state === 'installed' ? 'permissionRefused' : 'helperMissing';
    const text = NEEDS_HELPER.has(code)
      ? t(`status.${without}`)
      : sayFailure({ ...engine, code, text: engine.text ?? '' });
    return { tone: 'bad', title: t('states.head.failed'), text };
  }
  if (engine.state === 'starting')
    return { tone: 'work', title: t('states.head.starting'), text: t('status.startingText') };
  if (paused) {
    const text =
      paused.until === null
        ? t('status.pausedOpen')
        : t('status.pausedUntil', { time: formatClock(paused.until, i18n.language) });
    return { tone: 'idle', title: t('states.head.paused'), text };
  }
  return { tone: toneOf(status), title: t(`states.head.${wordOf(status)}`), text: reason };
}

function Hero(): ReactElement {
  const { t } = useTranslation();
  const { paused, engine } = useSlice('shell');
  const { tone, title, text } = useHead();
  return (
    <header className="hero">
      <div className={`hero-mark tone-${tone}`}>
        <Mark tone={tone} size={24} />
      </div>
      <div className="hero-words" role="status">
        <h1>{title}</h1>
        <p>{text}</p>
      </div>
      <div className="actions">
        {paused ? (
          <Button kind="primary" icon="play" onPress={() => void call('resume', {})}>
            {t('status.resume')}
          </Button>
        ) : (
          <>
            {engine.state === 'running' && <PauseMenu />}
            <MainAction />
          </>
        )}
      </div>
    </header>
  );
}

function AddressCard(): ReactElement {
  const { t } = useTranslation();
  const { address, state } = useSlice('status');
  return (
    <Card
      title={t('status.address')}
      side={
        address !== null && (
          <CopyButton text={address} label={t('common.copyAddress')} words={t('common.copy')} />
        )
      }
    >
      {address === null ? (
        <p className="soft">{t('status.addressNone')}</p>
      ) : (
        <>
          <Address address={address} />
          <p className="soft">
            {state === 'dormant' ? t('status.addressKept') : t('status.addressHint')}
          </p>
        </>
      )}
    </Card>
  );
}

function ExposureCard(): ReactElement {
  const { t } = useTranslation();
  const reachable = useSlice('reachable');
  const { exposure, state } = useSlice('status');
  const open = useStore((store) => store.open);
  const all = exposure.mode === 'all';
  const listens = reachable.filter(({ allowed }) => allowed).length;
  // Asleep, off or without an address nobody is reached, whatever is allowed.
  const reached = state === 'qualified' ? listens : 0;
  const closed = reachable.length - listens;
  return (
    <Card
      title={t('status.exposed')}
      side={
        <button type="button" className="link" onClick={() => open('applications')}>
          {t('status.seeApps')}
        </button>
      }
    >
      <div className="exposed">
        <span className="big">{all ? reachable.length : reached}</span>
        <p className="soft">
          {all
            ? t('status.exposedAll')
            : reached === 0
              ? t('status.exposedNoneText')
              : t('status.exposedText', { count: reached })}
          {closed > 0 && !all ? ` ${t('status.listening', { count: closed })}` : ''}
        </p>
      </div>
    </Card>
  );
}

function TrafficCard(): ReactElement {
  const { t, i18n } = useTranslation();
  const traffic = useStore((store) => store.traffic);
  const dark = useStore((store) => store.dark);
  const tall = useMedia('(min-height: 860px)');
  const [, inward, outward] = ratesOf(traffic.slice(-2));
  const rate = (rates: readonly number[]): string => formatRate(rates[0] ?? 0, i18n.language);
  return (
    <Card
      title={t('status.traffic')}
      side={
        <p className="legend">
          <span>
            <i className="swatch" /> {t('status.trafficIn')} <b>{rate(inward)}</b>
          </span>
          <span>
            <i className="swatch out" /> {t('status.trafficOut')} <b>{rate(outward)}</b>
          </span>
        </p>
      }
    >
      <Graph traffic={traffic} height={tall ? 320 : 132} dark={dark} />
    </Card>
  );
}

export function StatusScreen(): ReactElement {
  const { t } = useTranslation();
  const status = useSlice('status');
  const peers = useSlice('peers');
  // Before the first answer nobody knows what is in between.
  const asked = status.mapped !== null;
  return (
    <main className="screen" id="main" tabIndex={-1}>
      <Hero />
      <div className="status-grid">
        <Card title={t('status.path')}>
          <PathPicture status={status} peers={peers} />
          {asked && (
            <p className="soft path-says-nat">
              {t(`states.nat.${status.nat}`)}: {t(`states.natText.${status.nat}`)}
            </p>
          )}
        </Card>
        <div className="status-row">
          <AddressCard />
          <ExposureCard />
        </div>
        <TrafficCard />
      </div>
    </main>
  );
}
