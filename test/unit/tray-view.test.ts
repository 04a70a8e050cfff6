// The tray says the state in words and by four icons, and its menu pauses, switches and answers.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { MenuItemConstructorOptions } from 'electron';
import { describe, expect, test, vi } from 'vitest';
import { stateText, trayIcon, trayMenu } from '../../electron/tray-view.ts';
import type { TrayActions, TrayApp, TrayView } from '../../electron/tray-view.ts';
import { WORDS } from '../../electron/words.ts';

const ICONS = resolve(import.meta.dirname, '..', '..', 'assets', 'icons');
const ADDRESS = '2001:0:c000:201:38de:105:39cc:9bf8';

type State = NonNullable<TrayView['status']>['state'];
const running = { state: 'running', code: null, text: null } as const;
const known = { reason: { code: 'qualified', text: '' }, builtIn: false };
const view = (
  state: State | null,
  shell: Partial<TrayView['shell']> = {},
  rest: Partial<TrayView> = {},
): TrayView => ({
  shell: { engine: running, paused: null, locale: 'en', ...shell },
  status: state && { ...known, state, address: state === 'qualified' ? ADDRESS : null },
  apps: [],
  questions: [],
  ...rest,
});
const actions = {
  copy: vi.fn(),
  pause: vi.fn(),
  resume: vi.fn(),
  turn: vi.fn(),
  answer: vi.fn(),
  open: vi.fn(),
  quit: vi.fn(),
} satisfies TrayActions;
/** The entries on all levels. */
const entries = (items: MenuItemConstructorOptions[]): MenuItemConstructorOptions[] =>
  items.flatMap((each) => [
    each,
    ...entries((each.submenu as MenuItemConstructorOptions[] | undefined) ?? []),
  ]);
const find = (shown: TrayView, id: string): MenuItemConstructorOptions | undefined =>
  entries(trayMenu(shown, actions)).find((each) => each.id === id);
const click = (shown: TrayView, id: string): void =>
  (find(shown, id)!.click as unknown as () => void)();

describe('icons', () => {
  const failed = { state: 'failed', code: 'no-adapter', text: 'No adapter.' } as const;
  const starting = { state: 'starting', code: null, text: null } as const;
  const asks = [{ id: '1', name: 'photos' }];
  test.each([
    ['off', view('off')],
    ['off', view('dormant')],
    ['off', view('managed')],
    ['off', view('unneeded')],
    ['off', view('qualified', { paused: { until: null } })],
    ['working', view('qualifying')],
    ['working', view(null, { engine: starting })],
    ['qualified', view('qualified')],
    ['attention', view('refused')],
    ['attention', view(null, { engine: failed })],
    ['attention', view('qualified', {}, { questions: asks })],
    ['attention', view('qualified', { paused: { until: null } }, { questions: asks })],
  ] as const)('%s', (icon, shown) => {
    expect(trayIcon(shown)).toBe(icon);
  });

  test('each has a picture of its own for dark and light panels and as a template, in both sizes', () => {
    for (const form of ['-dark', '-light', 'Template'])
      for (const size of ['', '@2x']) {
        const files = ['off', 'working', 'qualified', 'attention'].map((icon) =>
          join(ICONS, `tray-${icon}${form}${size}.png`),
        );
        for (const file of files) expect(existsSync(file), file).toBe(true);
        expect(new Set(files.map((file) => readFileSync(file, 'latin1'))).size).toBe(4);
      }
  });
});

describe('words', () => {
  test('every state has its own, in each language, and what is built in says so', () => {
    const states: State[] = ['off', 'unneeded', 'managed', 'dormant', 'qualifying', 'qualified'];
    for (const locale of ['en', 'ja'] as const) {
      const texts = [...states, 'refused' as const].map((state) =>
        stateText(view(state, { locale })),
      );
      expect(new Set(texts).size).toBe(7);
      const builtIn = { ...known, state: 'qualified', address: ADDRESS, builtIn: true } as const;
      expect(stateText(view(null, { locale }, { status: builtIn }))).toContain(
        WORDS[locale].builtIn,
      );
    }
  });

  test('an address whose server has fallen silent is not said to work', () => {
    const reason = { code: 'server-silent', text: '' };
    const status = { ...known, state: 'qualified', address: ADDRESS, reason } as const;
    expect(stateText(view(null, {}, { status }))).toBe('The server no longer answers');
  });

  test('a pause says until when, a failure what it is', () => {
    const until = new Date(2026, 10, 21, 17, 5).getTime();
    expect(stateText(view('off', { paused: { until } }))).toMatch(/^Paused until 0?5:05/);
    expect(stateText(view('off', { paused: { until: null } }))).toBe('Paused');
    const engine = { state: 'failed', code: 'no-adapter', text: 'No adapter.' } as const;
    expect(stateText(view(null, { engine }))).toBe('Needs you: No adapter.');
  });
});

describe('the menu', () => {
  test.each([
    ['pause-5', 5],
    ['pause-15', 15],
    ['pause-60', 60],
    ['pause', null],
  ] as const)('%s', (id, minutes) => {
    click(view('qualified'), id);
    expect(actions.pause).toHaveBeenLastCalledWith(minutes);
  });

  test('paused, it resumes and offers no other pause', () => {
    const paused = view('off', { paused: { until: null } });
    click(paused, 'resume');
    expect(actions.resume).toHaveBeenCalledOnce();
    expect(find(paused, 'pauses')).toBeUndefined();
    expect(find(view('qualified'), 'resume')).toBeUndefined();
  });

  test('copies the address once there is one', () => {
    expect(find(view('qualifying'), 'copy')).toMatchObject({ enabled: false });
    click(view('qualified'), 'copy');
    expect(actions.copy).toHaveBeenCalledWith(ADDRESS);
  });

  test('switches what the user decided; what a policy decided stays', () => {
    const app = (id: string, from: TrayApp['from']): TrayApp => ({
      ...{ id, from, name: id, path: `/usr/bin/${id}`, script: null, group: null, user: null },
      ...{ connectOut: true, beReached: 'none' },
    });
    const apps = [app('ours', 'user'), app('theirs', 'policy')];
    const shown = view('qualified', {}, { apps });
    expect(find(shown, 'app-ours')).toMatchObject({ checked: true, enabled: true });
    expect(find(shown, 'app-theirs')).toMatchObject({ enabled: false, label: 'theirs (policy)' });
    click(shown, 'app-ours');
    expect(actions.turn).toHaveBeenCalledWith(apps[0], false);
  });

  test('counts waiting questions, and gives each of the four answers', () => {
    const questions = [
      { id: '1', name: 'photos' },
      { id: '2', name: 'curl' },
    ];
    const shown = view('qualified', {}, { questions });
    expect(find(shown, 'questions')).toMatchObject({ label: '2 applications ask' });
    for (const answer of ['allow', 'until-quit', 'not-now', 'never']) {
      click(shown, `${answer}-2`);
      expect(actions.answer).toHaveBeenLastCalledWith('2', answer);
    }
    expect(find(view('qualified'), 'questions')).toBeUndefined();
  });
});
