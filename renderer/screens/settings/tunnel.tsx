// Module settings/tunnel lists every single setting of the tunnel, in groups, and finds them by their words.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../app/calls.ts';
import { shortPath, useSlice } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Search } from '../../parts/field.tsx';
import { Card, Empty, Note } from '../../parts/page.tsx';
import { AddressChange } from './address-change.tsx';
import { Secure } from './secure.tsx';
import { Single } from './single.tsx';
import type { SettingName } from './single.tsx';

/** Which setting stands where. Those of `secure` and of the change of address have a card that is more than its lines. */
const GROUPS = {
  server: ['server', 'server2', 'failoverAfter', 'port', 'refreshInterval', 'intervalSearch'],
  running: ['enabled', 'evenWithNativeIpv6', 'newNetworks', 'sleepAfter'],
  ways: ['portMapping', 'localDiscovery', 'birthdayProbing'],
  open: ['exposeAll', 'answerEcho', 'allowPrivate'],
  inside: ['adapter', 'control', 'logLevel', 'metrics', 'offloads', 'workers'],
} as const satisfies Record<string, readonly SettingName[]>;
const SECURE = ['clientId', 'key'] as const satisfies readonly SettingName[];
const ON_CHANGE = [
  'addressCommand',
  'dnsUpdate',
  'dnsKey',
] as const satisfies readonly SettingName[];

/** What was changed and can't count before the tunnel starts anew. */
function Waiting(): ReactElement | null {
  const { t } = useTranslation();
  const { rows } = useSlice('settings');
  if (!rows.some(({ waiting }) => waiting)) return null;
  return (
    <Note
      tone="warn"
      action={
        <Button small onPress={() => void call('chooseNetwork', { kind: 'real' })}>
          {t('single.restart')}
        </Button>
      }
    >
      {t('single.waits')}
    </Note>
  );
}

export function TunnelSettings(): ReactElement {
  const { t } = useTranslation();
  const { rows, file, error } = useSlice('settings');
  const builtIn = useSlice('builtIn') !== null;
  const [text, setText] = useState('');
  const sought = text.trim().toLowerCase();
  const matches = (name: SettingName): boolean =>
    [name, t(`single.name.${name}`), t(`single.means.${name}`)].some((each) =>
      each.toLowerCase().includes(sought),
    );
  const rowOf = (name: SettingName) => rows.find((row) => row.name === name);
  const cards = Object.entries(GROUPS).map(([group, names]) => {
    const found = (names as readonly SettingName[]).filter(matches).flatMap((name) => {
      const row = rowOf(name);
      return row ? [{ ...row, name }] : [];
    });
    return { group: group as keyof typeof GROUPS, found };
  });
  const secure = SECURE.some(matches);
  const change = ON_CHANGE.some(matches);
  const none = !secure && !change && cards.every(({ found }) => found.length === 0);
  return (
    <>
      <div className="bar">
        <Search value={text} onChange={setText} />
      </div>
      <div className="stack settings-says">
        {error !== null && (
          <Note tone="bad" live>
            <p>{t('single.damaged')}</p>
            <p lang="en">{error}</p>
          </Note>
        )}
        {file !== '' && (
          <p className="soft wrap">
            {builtIn
              ? t('single.builtIn', { file: shortPath(file) })
              : t('single.file', { file: shortPath(file) })}
          </p>
        )}
        <Waiting />
      </div>
      {none && (
        <div className="list">
          <Empty icon="search" title={t('single.none')}>
            {t('single.noneText')}
          </Empty>
        </div>
      )}
      <div className="settings">
        {cards.map(
          ({ group, found }) =>
            found.length > 0 && (
              <Card key={group} title={t(`single.groups.${group}`)}>
                {found.map((row) => (
                  <Single key={row.name} row={row} />
                ))}
              </Card>
            ),
        )}
        {change && <AddressChange />}
        {secure && <Secure />}
      </div>
    </>
  );
}
