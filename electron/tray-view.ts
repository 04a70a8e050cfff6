// Module electron/tray-view makes the tray's icon, tip and menu of what is known: the same view gives the same menu.
import type { MenuItemConstructorOptions } from 'electron';
import type { CallResult, Params, Status } from '../engine/service/api.ts';
import type { ShellState } from '../engine/service/shell-calls.ts';
import { WORDS } from './words.ts';
import type { Words } from './words.ts';

export type TrayIcon = 'off' | 'working' | 'qualified' | 'attention';
type App = CallResult<'apps'>[number];
type Question = CallResult<'questions'>[number];
type Answer = Params<'answer'>['answer'];

/** An application as the tray knows it. */
export type TrayApp = Pick<
  App,
  'id' | 'name' | 'path' | 'script' | 'group' | 'user' | 'connectOut' | 'beReached' | 'from'
>;

/** All that the tray shows. */
export interface TrayView {
  readonly shell: Pick<ShellState, 'engine' | 'paused' | 'locale'>;
  readonly status: Pick<Status, 'state' | 'reason' | 'address' | 'builtIn'> | null;
  readonly apps: readonly TrayApp[];
  readonly questions: readonly Pick<Question, 'id' | 'name'>[];
}

/** What its entries do. */
export interface TrayActions {
  copy(text: string): void;
  pause(minutes: number | null): void;
  resume(): void;
  /** Switches an application on or off. */
  turn(app: TrayApp, on: boolean): void;
  answer(id: string, answer: Answer): void;
  open(): void;
  quit(): void;
}

const PAUSES = [5, 15, 60];

export function trayIcon({ shell, status, questions }: TrayView): TrayIcon {
  if (shell.engine.state === 'failed' || questions.length > 0) return 'attention';
  if (shell.engine.state === 'starting') return 'working';
  if (shell.paused || !status) return 'off';
  if (status.state === 'refused') return 'attention';
  if (status.state === 'qualifying') return 'working';
  return status.state === 'qualified' ? 'qualified' : 'off';
}

/** The state in words. */
export function stateText({ shell, status }: TrayView): string {
  const words = WORDS[shell.locale];
  const where = status?.builtIn ? ` — ${words.builtIn}` : '';
  return `${plainState(shell, status, words)}${where}`;
}

function plainState(
  { engine, paused, locale }: TrayView['shell'],
  status: TrayView['status'],
  words: Words,
): string {
  if (engine.state === 'failed') return `${words.failed}: ${engine.text ?? ''}`;
  if (engine.state === 'starting' || !status) return words.starting;
  if (!paused) {
    const silent = status.state === 'qualified' && status.reason.code === 'server-silent';
    return words[silent ? 'silent' : status.state];
  }
  if (paused.until === null) return words.paused;
  const time = new Date(paused.until);
  return words.pausedUntil(time.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' }));
}

export function trayMenu(view: TrayView, actions: TrayActions): MenuItemConstructorOptions[] {
  const { shell, status, questions } = view;
  const words = WORDS[shell.locale];
  const address = status?.address ?? null;
  return [
    { id: 'state', label: stateText(view), enabled: false },
    {
      id: 'copy',
      label: address === null ? words.noAddress : words.copyAddress,
      enabled: address !== null,
      click: () => actions.copy(address ?? ''),
    },
    { type: 'separator' },
    pauseItem(view, words, actions),
    { id: 'apps', label: words.applications, submenu: appItems(view, words, actions) },
    ...(questions.length === 0
      ? []
      : [
          {
            id: 'questions',
            label: words.questions(questions.length),
            submenu: questions.map((question) => questionItem(question, words, actions)),
          },
        ]),
    { type: 'separator' },
    { id: 'open', label: words.open, click: () => actions.open() },
    { id: 'quit', label: words.quit, click: () => actions.quit() },
  ];
}

function pauseItem(
  { shell }: TrayView,
  words: Words,
  actions: TrayActions,
): MenuItemConstructorOptions {
  if (shell.paused) return { id: 'resume', label: words.resume, click: () => actions.resume() };
  const minutes = PAUSES.map((count) => ({
    id: `pause-${count}`,
    label: words.minutes(count),
    click: () => actions.pause(count),
  }));
  const until = { id: 'pause', label: words.untilResumed, click: () => actions.pause(null) };
  return { id: 'pauses', label: words.pause, submenu: [...minutes, until] };
}

function appItems(
  { apps }: TrayView,
  words: Words,
  actions: TrayActions,
): MenuItemConstructorOptions[] {
  if (apps.length === 0) return [{ label: words.noApplications, enabled: false }];
  return apps.map((app) => {
    const on = app.connectOut || app.beReached !== 'none';
    return {
      id: `app-${app.id}`,
      type: 'checkbox' as const,
      checked: on,
      enabled: app.from === 'user',
      label: app.from === 'user' ? app.name : words.byPolicy(app.name),
      click: () => actions.turn(app, !on),
    };
  });
}

function questionItem(
  { id, name }: TrayView['questions'][number],
  words: Words,
  actions: TrayActions,
): MenuItemConstructorOptions {
  const answers: [Answer, string][] = [
    ['allow', words.allow],
    ['until-quit', words.untilQuit],
    ['not-now', words.notNow],
    ['never', words.never],
  ];
  return {
    id: `question-${id}`,
    label: name,
    submenu: answers.map(([answer, label]) => ({
      id: `${answer}-${id}`,
      label,
      click: () => actions.answer(id, answer),
    })),
  };
}
