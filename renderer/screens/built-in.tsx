// Module screens/built-in changes the network inside the program: the router, what fails, the programs, who is there.
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { BuiltInState } from '../../engine/service/builtin/calls.ts';
import { call } from '../app/calls.ts';
import { formatNumber } from '../app/format.ts';
import { usePing } from '../app/ping.ts';
import { useSlice } from '../app/store.ts';
import { Button, Choices, CopyButton, Switch } from '../parts/button.tsx';
import { Select } from '../parts/field.tsx';
import { Loading, Note, Page, SectionHead } from '../parts/page.tsx';
import { Word } from '../parts/state.tsx';
import { en } from '../words/index.ts';

const SPEEDS = ['1', '3', '10'] as const;

type ProgramName = keyof typeof en.builtIn.program;
const hasWords = (name: string): name is ProgramName => name in en.builtIn.program;

function Router({ network }: { network: BuiltInState }): ReactElement {
  const { t } = useTranslation();
  const { nat, kinds } = network;
  return (
    <section className="card">
      <h2>{t('builtIn.router')}</h2>
      <p className="soft">{t('builtIn.routerText')}</p>
      <div className="built-in-router">
        <Select
          label={t('builtIn.router')}
          value={nat}
          options={kinds.map(({ name }) => ({ value: name, text: t(`builtIn.kinds.${name}`) }))}
          onChange={(kind) => void call('changeBuiltIn', { change: 'nat', kind })}
        />
        <span className="built-in-speed">
          <span className="soft" aria-hidden="true">
            {t('builtIn.speed')}
          </span>
          <Choices
            label={t('builtIn.speed')}
            value={String(network.speed)}
            options={SPEEDS.map((speed) => ({
              value: speed,
              text: t('builtIn.speedOf', { speed }),
            }))}
            onChange={(speed) =>
              void call('changeBuiltIn', { change: 'speed', speed: Number(speed) })
            }
          />
        </span>
      </div>
    </section>
  );
}

function Faults({ network }: { network: BuiltInState }): ReactElement {
  const { t } = useTranslation();
  return (
    <section>
      <SectionHead title={t('builtIn.faults')}>{t('builtIn.faultsText')}</SectionHead>
      <ul className="list tiles">
        {network.faults.map(({ name, active, passing }) => {
          const text = t(`builtIn.fault.${name}`);
          const change = active ? ('heal' as const) : ('fault' as const);
          return (
            <li key={name}>
              <span className="grow">{text}</span>
              {passing ? (
                <Button
                  small
                  label={`${t('builtIn.once')}: ${text}`}
                  onPress={() => void call('changeBuiltIn', { change: 'fault', name })}
                >
                  {t('builtIn.once')}
                </Button>
              ) : (
                <Switch
                  on={active}
                  label={text}
                  onChange={() => void call('changeBuiltIn', { change, name })}
                />
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Programs({ network }: { network: BuiltInState }): ReactElement {
  const { t, i18n } = useTranslation();
  const number = (value: number): string => formatNumber(value, i18n.language);
  return (
    <section>
      <SectionHead title={t('builtIn.programs')} />
      <ul className="list">
        {network.programs.map(({ name, text, running, sent, received, refused }) => (
          <li key={name}>
            <div className="grow">
              <p className="title">{name}</p>
              <p className="sub">{hasWords(name) ? t(`builtIn.program.${name}`) : text}</p>
            </div>
            <span className="sub number">
              {t('builtIn.counts', {
                sent: number(sent),
                received: number(received),
                refused: number(refused),
              })}
            </span>
            <Switch
              on={running}
              label={t('builtIn.runs', { name })}
              onChange={(on) =>
                void call('changeBuiltIn', { change: 'program', name, running: on })
              }
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Hosts({ network }: { network: BuiltInState }): ReactElement {
  const { t } = useTranslation();
  const { ping, start } = usePing();
  return (
    <section>
      <SectionHead title={t('builtIn.hosts')}>{t('builtIn.hostsText')}</SectionHead>
      {ping && (
        <div className="page-note">
          <Note tone={ping.tone} live>
            {ping.text}
          </Note>
        </div>
      )}
      <ul className="list">
        {network.hosts.map(({ name, address, kind }) => (
          <li key={name}>
            <div className="grow">
              <p className="title">{name}</p>
              <p className="sub mono cut">{address ?? t('builtIn.hostNone')}</p>
            </div>
            <Word tone="idle">{t(`peers.kinds.${kind}`)}</Word>
            {address !== null && (
              <>
                <CopyButton text={address} label={`${t('common.copyAddress')}: ${name}`} />
                <Button
                  small
                  label={t('builtIn.ping', { name })}
                  disabled={ping?.asking ?? false}
                  onPress={() => start(address)}
                >
                  {t('peers.ping')}
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function BuiltInScreen(): ReactElement {
  const { t } = useTranslation();
  const network = useSlice('builtIn');
  if (!network) return <Loading />;
  return (
    <Page
      title={t('builtIn.title')}
      lead={t('builtIn.lead')}
      actions={
        <Button icon="undo" onPress={() => void call('changeBuiltIn', { change: 'reset' })}>
          {t('builtIn.reset')}
        </Button>
      }
    >
      <Router network={network} />
      <Faults network={network} />
      <Programs network={network} />
      <Hosts network={network} />
    </Page>
  );
}
