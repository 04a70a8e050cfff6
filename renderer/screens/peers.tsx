// Module screens/peers lists everybody the tunnel talks to, and pings them.
import { useCallback, useMemo, useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { FlowRow, PeerRow } from '../../engine/service/slices.ts';
import { formatAgo, formatBytes, formatMs } from '../app/format.ts';
import { usePing } from '../app/ping.ts';
import { useSlow } from '../app/slow.ts';
import { useNow, useSlice } from '../app/store.ts';
import { Button, CopyButton } from '../parts/button.tsx';
import { Ends } from '../parts/ends.tsx';
import { List } from '../parts/list.tsx';
import { Card, Facts, Note, Page } from '../parts/page.tsx';
import { Word } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';
import type { Column } from '../parts/table.tsx';

/** Who talks to whom changes seldom, ms. */
const SLOW_MS = 1_000;
const FILTERS = ['all', 'openOnly', 'teredoOnly', 'nativeOnly'] as const;
type Filter = (typeof FILTERS)[number];

/** Names of the programs that talk to each address, several with commas between. */
function appsOf(flows: readonly FlowRow[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { remote, app, verdict } of flows) {
    if (!app || verdict !== 'pass') continue;
    const known = names.get(remote);
    if (known === undefined) names.set(remote, app.name);
    else if (!known.split(', ').includes(app.name)) names.set(remote, `${known}, ${app.name}`);
  }
  return names;
}

/** The same map as long as it says the same. */
function useApps(): ReadonlyMap<string, string> {
  const flows = useSlow(useSlice('flows'), SLOW_MS);
  const [apps, setApps] = useState(() => appsOf(flows));
  const next = useMemo(() => appsOf(flows), [flows]);
  const same =
    next.size === apps.size && [...next].every(([remote, name]) => apps.get(remote) === name);
  if (!same) setApps(next);
  return same ? apps : next;
}

function toneOfPath(path: PeerRow['path']): Tone {
  return path === null ? 'idle' : 'good';
}

const by =
  (value: (row: PeerRow) => number) =>
  (a: PeerRow, b: PeerRow): number =>
    value(a) - value(b);
const byText =
  (value: (row: PeerRow) => string) =>
  (a: PeerRow, b: PeerRow): number => {
    const [left, right] = [value(a), value(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  };

function useColumns(apps: ReadonlyMap<string, string>): readonly Column<PeerRow>[] {
  const { t, i18n } = useTranslation();
  const { language } = i18n;
  return useMemo<readonly Column<PeerRow>[]>(
    () => [
      {
        id: 'address',
        title: t('peers.address'),
        width: 'minmax(124px, 3fr)',
        mono: true,
        cell: ({ address }) => <Ends text={address} />,
        full: ({ address }) => address,
        compare: byText(({ address }) => address),
      },
      {
        id: 'kind',
        title: t('peers.kind'),
        width: 'minmax(66px, 1fr)',
        cell: ({ kind }) => t(`peers.kinds.${kind}`),
        full: ({ kind }) => t(`peers.kinds.${kind}`),
        below: true,
        compare: byText(({ kind }) => kind),
      },
      {
        id: 'path',
        title: t('peers.path'),
        width: 'minmax(94px, 1.2fr)',
        cell: ({ path }) => (
          <Word tone={toneOfPath(path)}>{t(`peers.paths.${path ?? 'none'}`)}</Word>
        ),
        full: ({ path }) => t(`peers.pathText.${path ?? 'none'}`),
        compare: byText(({ path }) => path ?? ''),
      },
      {
        id: 'app',
        title: t('peers.app'),
        width: 'minmax(54px, 1.2fr)',
        cell: ({ address }) => apps.get(address) ?? '',
        full: ({ address }) => apps.get(address) ?? '',
        below: true,
        compare: byText(({ address }) => apps.get(address) ?? ''),
      },
      {
        id: 'rtt',
        title: t('peers.rtt'),
        width: '66px',
        number: true,
        cell: ({ rttMs }) => (rttMs === null ? '–' : formatMs(rttMs, language)),
        compare: by(({ rttMs }) => rttMs ?? Infinity),
      },
      {
        id: 'bytes',
        title: t('peers.bytes'),
        width: 'minmax(120px, 1.2fr)',
        number: true,
        cell: ({ bytesIn, bytesOut }) =>
          `${formatBytes(bytesIn, language)} / ${formatBytes(bytesOut, language)}`,
        compare: by(({ bytesIn, bytesOut }) => bytesIn + bytesOut),
      },
    ],
    [t, language, apps],
  );
}

const TEST: Record<Filter, (row: PeerRow) => boolean> = {
  all: () => true,
  openOnly: ({ path }) => path !== null,
  teredoOnly: ({ kind }) => kind !== 'native',
  nativeOnly: ({ kind }) => kind === 'native',
};

function Detail(props: { peer: PeerRow; app: string; onPing: () => void }): ReactElement {
  const { peer, app, onPing } = props;
  const { t, i18n } = useTranslation();
  const now = useNow();
  const { address, path, endpoint, trusted, lastHeardAt } = peer;
  return (
    <Card
      className="detail"
      title={t('peers.detail')}
      side={
        <div className="actions">
          <CopyButton text={address} label={t('common.copyAddress')} />
          <Button small onPress={onPing}>
            {t('peers.pinged')}
          </Button>
        </div>
      }
    >
      <Facts
        rows={[
          [t('peers.address'), <code key="address">{address}</code>],
          [t('peers.path'), t(`peers.pathText.${path ?? 'none'}`)],
          [t('peers.endpoint'), endpoint === null ? '–' : <code key="endpoint">{endpoint}</code>],
          [t('peers.trusted'), trusted ? t('peers.trustedYes') : t('peers.trustedNo')],
          [t('peers.app'), app === '' ? '–' : app],
          [
            t('peers.heard'),
            lastHeardAt === null
              ? t('peers.never')
              : formatAgo(Math.max(0, now - lastHeardAt), i18n.language),
          ],
        ]}
      />
    </Card>
  );
}

function PingForm({
  onPing,
  busy,
}: {
  onPing: (address: string) => void;
  busy: boolean;
}): ReactElement {
  const { t } = useTranslation();
  const [address, setAddress] = useState('');
  const start = (): void => {
    if (address.trim() !== '') onPing(address.trim());
  };
  return (
    <form
      className="actions"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <input
        className="input mono search"
        aria-label={t('peers.pingAddress')}
        placeholder={t('peers.pingPlaceholder')}
        value={address}
        spellCheck={false}
        onChange={(event) => setAddress(event.target.value)}
      />
      <Button kind="primary" submit disabled={busy || address.trim() === ''}>
        {t('peers.ping')}
      </Button>
    </form>
  );
}

const keyOf = ({ address }: PeerRow): string => address;

export function PeersScreen(): ReactElement {
  const { t } = useTranslation();
  const peers = useSlice('peers');
  const { known } = useSlice('status').peerCounts;
  const apps = useApps();
  const columns = useColumns(apps);
  const { ping, start } = usePing();
  const matches = useCallback(
    (row: PeerRow, filter: Filter, sought: string) =>
      TEST[filter](row) &&
      (sought === '' ||
        row.address.includes(sought) ||
        (row.endpoint?.includes(sought) ?? false) ||
        (apps.get(row.address)?.toLowerCase().includes(sought) ?? false)),
    [apps],
  );
  return (
    <Page
      whole
      title={t('peers.title')}
      lead={t('peers.lead')}
      actions={<PingForm onPing={start} busy={ping?.asking ?? false} />}
    >
      {ping && (
        <div className="page-note">
          <Note tone={ping.tone} live>
            {ping.text}
          </Note>
        </div>
      )}
      {known > peers.length && (
        <div className="page-note">
          <Note tone="idle">{t('peers.latest', { shown: peers.length, known })}</Note>
        </div>
      )}
      <List
        label={t('peers.title')}
        filterLabel={t('peers.filter')}
        options={FILTERS.map((value) => ({ value, text: t(`peers.${value}`) }))}
        rows={peers}
        keyOf={keyOf}
        columns={columns}
        sort={{ by: 'bytes', down: true }}
        matches={matches}
        counted={(count) => t('peers.count', { count })}
        none={{ icon: 'peers', title: t('peers.none'), text: t('peers.noneText') }}
        detail={(peer) => (
          <Detail
            peer={peer}
            app={apps.get(peer.address) ?? ''}
            onPing={() => start(peer.address)}
          />
        )}
      />
    </Page>
  );
}
