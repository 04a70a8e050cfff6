// Module applications/questions lists the programs that wait for the person's word, each with its answers.
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { QuestionRow } from '../../../engine/service/slices.ts';
import { call } from '../../app/calls.ts';
import { formatAgo } from '../../app/format.ts';
import { useNow, useStore } from '../../app/store.ts';
import { Button } from '../../parts/button.tsx';
import { Mark } from '../../parts/state.tsx';

type Reply = 'allow' | 'until-quit' | 'not-now' | 'never';

/** `[2001:db8::80]:443`, without a port for protocols that have none. */
function endpointOf(remote: string, port: number): string {
  return port === 0 ? remote : `[${remote}]:${port}`;
}

function Answers({ question }: { question: QuestionRow }): ReactElement {
  const { t } = useTranslation();
  const { tell } = useStore.getState();
  const { id, name, answered } = question;
  const answer = async (reply: Reply): Promise<void> => {
    const done = await call('answer', { id, answer: reply });
    if (!done) return;
    const made = done.app;
    const undo = made ? () => void call('forgetApp', { which: made.id }) : undefined;
    tell({ kind: 'done', text: t('applications.answered', { name }), ...(undo && { undo }) });
  };
  return (
    <div className="actions">
      <Button small kind={answered ? 'plain' : 'primary'} onPress={() => void answer('allow')}>
        {t('applications.answerAllow')}
      </Button>
      <Button small onPress={() => void answer('until-quit')}>
        {t('applications.answerQuit')}
      </Button>
      {!answered && (
        <Button small onPress={() => void answer('not-now')}>
          {t('applications.answerNotNow')}
        </Button>
      )}
      <Button small danger onPress={() => void answer('never')}>
        {t('applications.answerNever')}
      </Button>
    </div>
  );
}

export function Questions({ rows }: { rows: readonly QuestionRow[] }): ReactElement {
  const { t, i18n } = useTranslation();
  const now = useNow();
  return (
    <ul className="list">
      {rows.map((question) => {
        const { id, name, path, script, remote, remotePort, times, lastAt, answered } = question;
        return (
          <li key={id}>
            <Mark tone={answered ? 'idle' : 'warn'} size={20} />
            <div className="grow">
              <p>
                <strong>{name}</strong>{' '}
                {t('applications.wants', { remote: endpointOf(remote, remotePort) })}
              </p>
              <p className="sub cut" title={script ?? path ?? ''}>
                {script ?? path} · {t('applications.times', { count: times })},{' '}
                {formatAgo(Math.max(0, now - lastAt), i18n.language)}
              </p>
            </div>
            <Answers question={question} />
          </li>
        );
      })}
    </ul>
  );
}
