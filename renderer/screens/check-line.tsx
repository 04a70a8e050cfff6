// Module screens/check-line shows one judged check: what it is called, what it came to, what was seen and what to do.
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';
import type { DoctorReport } from '../../engine/service/doctor-calls.ts';
import { useCheckName, useSayings } from '../app/sayings.ts';
import { Mark } from '../parts/state.tsx';
import type { Tone } from '../parts/state.tsx';

export type Check = DoctorReport['checks'][number];

const TONES: Record<Check['result'], Tone> = { good: 'good', bad: 'bad', unknown: 'idle' };

export function CheckLine({ check, running }: { check: Check; running: boolean }): ReactElement {
  const { t } = useTranslation();
  const name = useCheckName();
  const say = useSayings();
  const { result, evidence, action, seen, todo } = check;
  const toDo = todo !== null && action !== null && result !== 'good' ? say([todo], action) : null;
  const word = running ? t('doctor.running') : t(`doctor.results.${result}`);
  return (
    <li className="check">
      <Mark tone={running ? 'work' : TONES[result]} />
      <span className={`check-word tone-${running ? 'work' : TONES[result]}`}>{word}</span>
      <div className="grow">
        <p className="label">{name(check)}</p>
        <p className="sub">
          {say(seen, evidence)}
          {toDo !== null ? ` ${toDo}` : ''}
        </p>
      </div>
    </li>
  );
}
