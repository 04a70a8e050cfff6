// Module screens/known-pcs keeps the other homes by name: whether each can be reached and why, a new address when it moved, and an invitation to send.
import { useState } from 'react';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { KnownPc } from '../../engine/service/pc-calls.ts';
import { call } from '../app/calls.ts';
import { formatAgo, formatMs } from '../app/format.ts';
import { usePingWords } from '../app/reasons.ts';
import { useNow, useSlice, useStore } from '../app/store.ts';
import { Button, CopyButton } from '../parts/button.tsx';
import { Field, Search } from '../parts/field.tsx';
import { Form } from '../parts/form.tsx';
import { Menu } from '../parts/menu.tsx';
import { Card, Empty, Note, Page } from '../parts/page.tsx';
import { Mark } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';

const TONES: Record<KnownPc['state'], Tone> = {
  'not-tested': 'idle',
  reachable: 'good',
  open: 'warn',
  unreachable: 'bad',
};
/** A list that is longer can be searched. */
const FEW = 8;

/** Adds a PC, or changes `pc`. */
function PcForm({ pc, onDone }: { pc?: KnownPc; onDone: () => void }): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const pcs = useSlice('knownPcs');
  const [name, setName] = useState(pc?.name ?? '');
  const [target, setTarget] = useState(pc?.target ?? '');
  const [wanted, given] = [name.trim(), target.trim()];
  const taken = wanted !== pc?.name && pcs.some((each) => each.name === wanted);
  const wrong = /\s/.test(given);
  const ready = wanted !== '' && given !== '' && !taken && !wrong;
  const save = async (): Promise<void> => {
    if (!ready) return;
    if (pc && wanted !== pc.name && !(await call('renamePc', { name: pc.name, to: wanted })))
      return;
    if (given !== pc?.target && !(await call('setPc', { name: wanted, target: given }))) return;
    tell({
      kind: 'done',
      text: pc ? t('knownPcs.saved', { name: wanted }) : t('knownPcs.added', { name: wanted }),
    });
    onDone();
    if (given !== pc?.target) await call('testPc', { name: wanted });
  };
  return (
    <Form
      action={pc ? t('common.save') : t('knownPcs.addIt')}
      ready={ready}
      onSave={() => void save()}
      onCancel={onDone}
    >
      <Field
        label={t('knownPcs.name')}
        value={name}
        onChange={setName}
        hint={t('knownPcs.nameHint')}
        wrong={taken ? t('knownPcs.nameTaken') : null}
      />
      <Field
        label={t('knownPcs.target')}
        value={target}
        onChange={setTarget}
        hint={t('knownPcs.targetHint')}
        wrong={wrong ? t('knownPcs.targetWrong') : null}
        mono
      />
    </Form>
  );
}

/** Why it is as it is, in one sentence. */
function useReason(): (pc: KnownPc) => string {
  const sayPing = usePingWords();
  const { t, i18n } = useTranslation();
  return ({ code, text, rttMs, path, testing }) => {
    if (testing) return t('knownPcs.testingText');
    if (rttMs !== null && path !== null)
      return t('knownPcs.answers', {
        ms: formatMs(rttMs, i18n.language),
        path: t(`peers.pathText.${path}`),
      });
    if (code === 'not-tested' || code === 'no-address') return t(`knownPcs.code.${code}`);
    return sayPing({ code, text });
  };
}

function Offer({
  name,
  offer,
}: {
  name: string;
  offer: NonNullable<KnownPc['offer']>;
}): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const take = async (): Promise<void> => {
    if (await call('updatePc', { name }))
      tell({ kind: 'done', text: t('knownPcs.taken', { name }) });
  };
  return (
    <Note
      tone="warn"
      action={
        <Button small onPress={() => void take()}>
          {t('knownPcs.take')}
        </Button>
      }
    >
      {t(`knownPcs.offer.${offer.code}`)} <code>{offer.address}</code>
    </Note>
  );
}

function Actions({ pc, onEdit }: { pc: KnownPc; onEdit: () => void }): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const { name, target, address } = pc;
  const forget = async (): Promise<void> => {
    if (!(await call('forgetPc', { name }))) return;
    const undo = (): void => void call('setPc', { name, target });
    tell({ kind: 'done', text: t('knownPcs.forgot', { name }), undo });
  };
  return (
    <Menu
      quiet
      icon="more"
      label={t('knownPcs.more', { name })}
      items={[
        { text: t('knownPcs.edit'), onPress: onEdit },
        {
          text: t('knownPcs.copyAddress'),
          disabled: address === null,
          onPress: () => void call('copyText', { text: address ?? '' }),
        },
        { text: t('knownPcs.forget'), onPress: () => void forget() },
      ]}
    />
  );
}

function PcRow({ pc }: { pc: KnownPc }): ReactElement {
  const { t, i18n } = useTranslation();
  const now = useNow();
  const reason = useReason();
  const [editing, setEditing] = useState(false);
  const { name, target, address, state, testing, testedAt, offer } = pc;
  const tone = testing ? 'work' : TONES[state];
  const where = [
    target,
    address !== null && address !== target && address,
    testedAt !== null &&
      !testing &&
      t('knownPcs.tested', { ago: formatAgo(Math.max(0, now - testedAt), i18n.language) }),
  ];
  return (
    <li className="pc">
      <div className="pc-line">
        <Mark tone={tone} size={20} />
        <div className="grow">
          <p className="title">
            <span className="cut">{name}</span>
            <span className={`pc-state tone-${tone}`}>
              {testing ? t('knownPcs.testing') : t(`knownPcs.state.${state}`)}
            </span>
          </p>
          <p>{reason(pc)}</p>
          <p className="sub cut mono" title={address ?? target}>
            {where.filter(Boolean).join(' · ')}
          </p>
        </div>
        <Button
          small
          disabled={testing}
          label={t('knownPcs.testOf', { name })}
          onPress={() => void call('testPc', { name })}
        >
          {t('knownPcs.test')}
        </Button>
        <Actions pc={pc} onEdit={() => setEditing(true)} />
      </div>
      {offer && <Offer name={name} offer={offer} />}
      {editing && <PcForm pc={pc} onDone={() => setEditing(false)} />}
    </li>
  );
}

interface Invitation {
  readonly text: string;
  readonly address: string | null;
}

function InvitationCard({ text, address }: Invitation): ReactElement {
  const { t, i18n } = useTranslation();
  // In English it is the engine's, as the terminal prints it.
  const letter =
    i18n.language === 'en'
      ? text
      : address === null
        ? t('knownPcs.letterNone')
        : t('knownPcs.letter', { address });
  return (
    <Card
      className="allow"
      title={t('knownPcs.invitation')}
      side={
        <CopyButton
          text={letter}
          label={t('knownPcs.copyInvitation')}
          words={t('knownPcs.copyInvitation')}
        />
      }
    >
      <p className="soft">
        {address === null ? t('knownPcs.invitationNone') : t('knownPcs.invitationText')}
      </p>
      <p className="letter">{letter}</p>
    </Card>
  );
}

export function KnownPcsScreen(): ReactElement {
  const { t } = useTranslation();
  const pcs = useSlice('knownPcs');
  const [adding, setAdding] = useState(false);
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const [wanted, setWanted] = useState('');
  const invite = async (): Promise<void> =>
    setInvitation(invitation ? null : await call('invitation', {}));
  const looked = wanted.trim().toLowerCase();
  const shown = pcs.filter((pc) =>
    [pc.name, pc.target, pc.address ?? ''].some((each) => each.toLowerCase().includes(looked)),
  );
  return (
    <Page
      title={t('knownPcs.title')}
      lead={t('knownPcs.lead')}
      actions={
        <>
          <Button onPress={() => void invite()}>{t('knownPcs.invite')}</Button>
          {!adding && (
            <Button kind="primary" icon="plus" onPress={() => setAdding(true)}>
              {t('knownPcs.add')}
            </Button>
          )}
        </>
      }
    >
      {invitation && <InvitationCard {...invitation} />}
      {adding && (
        <Card className="allow" title={t('knownPcs.add')}>
          <PcForm onDone={() => setAdding(false)} />
        </Card>
      )}
      {pcs.length > FEW && (
        <div className="bar">
          <Search value={wanted} onChange={setWanted} />
        </div>
      )}
      <section aria-label={t('knownPcs.list')}>
        {shown.length === 0 ? (
          <div className="list">
            <Empty
              icon="homes"
              title={pcs.length === 0 ? t('knownPcs.none') : t('common.nothingFound')}
            >
              {pcs.length === 0 && t('knownPcs.noneText')}
            </Empty>
          </div>
        ) : (
          <ul className="list">
            {shown.map((pc) => (
              <PcRow key={pc.name} pc={pc} />
            ))}
          </ul>
        )}
      </section>
    </Page>
  );
}
