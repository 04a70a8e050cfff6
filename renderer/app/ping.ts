// Module app/ping asks one address and says in a sentence how it went.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Tone } from '../parts/state.tsx';
import { ask } from './calls.ts';
import { sayFailure } from './failures.ts';
import { formatMs } from './format.ts';
import { usePingWords } from './reasons.ts';

const PING_MS = 8_000;

export interface PingView {
  readonly asking: boolean;
  readonly tone: Tone;
  readonly text: string;
}

export function usePing(): { ping: PingView | null; start: (address: string) => void } {
  const { t, i18n } = useTranslation();
  const sayPing = usePingWords();
  const [ping, setPing] = useState<PingView | null>(null);
  const start = (address: string): void => {
    const failed = (text: string): PingView => ({
      asking: false,
      tone: 'bad',
      text: t('peers.pingFailed', { address, text }),
    });
    setPing({ asking: true, tone: 'work', text: t('peers.pinging', { address }) });
    void ask('ping', { address, timeoutMs: PING_MS }).then((answer) => {
      if (!answer.ok) return setPing(failed(sayFailure(answer.error)));
      const { result } = answer;
      if (!result.ok) {
        return setPing(failed(sayPing(result)));
      }
      const ms = formatMs(result.rttMs, i18n.language);
      const text = `${t('peers.pingOk', { address, ms })} ${t(`peers.pathText.${result.path}`)}`;
      return setPing({ asking: false, tone: 'good', text });
    });
  };
  return { ping, start };
}
