// Module electron/desktop puts client, window, tray and notifications together into one running app.
import { join } from 'node:path';
import { app, nativeTheme, Notification, powerMonitor } from 'electron';
import type { CallResult, Params } from '../engine/service/api.ts';
import { told } from '../engine/service/told.ts';
import { Autostart } from './autostart.ts';
import { Engine } from './engine.ts';
import { isFullScreen } from './full-screen.ts';
import { Helper } from './helper.ts';
import { perform, serveWindow } from './ipc.ts';
import { Notices } from './notices.ts';
import type { Button } from './notification-service.ts';
import { Notifier } from './notifier.ts';
import type { Notice } from './notifier.ts';
import { Panel } from './panel.ts';
import {
  bundles,
  docsFolder,
  iconFolder,
  launchCommand,
  nativeFolder,
  runtime,
  systemName,
  version,
} from './runtime.ts';
import { SettingsFile } from './settings.ts';
import { Shell } from './shell.ts';
import { Switches } from './switches.ts';
import type { AppTray } from './tray.ts';
import { openTray } from './tray.ts';
import type { TrayApp, TrayView } from './tray-view.ts';
import { AppWindow, preloadIn } from './window.ts';
import { WORDS } from './words.ts';
import type { Words } from './words.ts';

/** A panel may be restarted, or come after us: so long the app does without a tray before it shows itself elsewhere. */
const TRAY_COMES_MS = 5_000;

export class Desktop {
  private readonly engine: Engine;
  private readonly settings: SettingsFile;
  private readonly window: AppWindow;
  private readonly shell: Shell;
  private readonly notices: Notices;
  private readonly notifier: Notifier;
  private readonly panel: Panel;
  private readonly panelKnown: Promise<void>;
  private tray: AppTray | null = null;
  /** It was offered to a tray of the newer kind. */
  private offered = false;
  private sightTimer: NodeJS.Timeout | null = null;
  /** What the system says while the app has no theme of its own. */
  private systemDark = nativeTheme.shouldUseDarkColors;
  private readonly switches = new Switches();
  private sleeps = false;

  /** @param argv may hold `--hidden` (only the tray), `--demo` or `--real` (which network) */
  constructor(argv: readonly string[]) {
    this.engine = new Engine({
      onChange: () => this.changed(),
      onLog: ({ level, text }) => process.stderr.write(`${level}: ${text}\n`),
    });
    const warn = (text: string): void => this.engine.note({ level: 'warning', text });
    this.settings = new SettingsFile(join(app.getPath('userData'), 'shell.json'), warn);
    this.window = new AppWindow({
      title: () => this.title(),
      icon: join(iconFolder(), 'app-256.png'),
      preload: preloadIn(bundles()),
      warn,
      onFocus: () => void this.lookForTray(),
      onClose: () => void this.windowClosed(),
    });
    this.panel = new Panel({
      systemDark: () => this.systemDark,
      onChange: () => this.panelChanged(),
    });
    this.shell = new Shell({
      engine: this.engine,
      settings: this.settings,
      autostart: new Autostart(app.getPath('appData'), [...launchCommand(), '--hidden']),
      helper: new Helper(nativeFolder()),
      window: () => this.window.current,
      tray: () => this.panel.hasTray,
      docs: docsFolder(),
    });
    this.notices = new Notices({
      icon: join(iconFolder(), 'app-64.png'),
      open: () => ({ label: this.words.open, press: () => this.window.show() }),
    });
    this.notifier = new Notifier({
      now: () => Date.now(),
      enabled: () => this.settings.value.notifications && Notification.isSupported(),
      windowInFront: () => this.window.inFront,
      fullScreen: isFullScreen,
      show: (notice) => void this.notices.show(notice),
      told: this.settings.value.told,
      keep: (told) => this.settings.update({ told }),
    });
    serveWindow({ window: () => this.window.current, engine: this.engine, shell: this.shell });
    this.panelKnown = this.panel.open();
    this.begin(argv);
  }

  /** Somebody started the app once more. */
  again(argv: readonly string[]): void {
    this.window.show();
    const network = networkOf(argv);
    if (network && network !== this.settings.value.networkKind)
      void this.shell.api.chooseNetwork({ kind: network });
  }

  /** Leaves the machine as it was. */
  async close(): Promise<void> {
    if (this.sightTimer) clearTimeout(this.sightTimer);
    this.panel.close();
    this.tray?.close();
    this.tray = null;
    this.notices.close();
    this.window.release();
    await this.engine.close();
  }

  private begin(argv: readonly string[]): void {
    const network = networkOf(argv);
    if (network) this.settings.update({ networkKind: network });
    const { electron, trial } = runtime();
    this.engine.note({
      level: 'info',
      text: `Shipworm ${version()} on ${systemName()} (Electron ${electron}${trial ? ', a stand-in for a trial' : ''}).`,
      ...told('begun', {
        version: version(),
        system: systemName(),
        electron: trial ? `${electron}~trial` : electron,
      }),
    });
    this.shell.watch(() => {
      this.window.retitle();
      this.tray?.changed();
    });
    powerMonitor.on('suspend', () => this.sleep(true));
    powerMonitor.on('resume', () => this.sleep(false));
    nativeTheme.on('updated', () => {
      if (nativeTheme.themeSource !== 'system') return;
      this.systemDark = nativeTheme.shouldUseDarkColors;
      this.tray?.changed();
    });
    void this.shell.start();
    // On first run an icon alone looks broken.
    if (!argv.includes('--hidden') || this.settings.value.firstRun) this.window.show();
  }

  /** A tray came or went, or its colour is another. */
  private panelChanged(): void {
    const { hasHost, hasTray } = this.panel;
    // An icon that was offered to one kind of tray is not offered to the other by itself.
    if (!this.tray || hasHost !== this.offered) {
      this.tray?.close();
      this.tray = this.openTray();
    }
    this.offered = hasHost;
    this.tray?.changed();
    this.shell.changed();
    if (this.sightTimer) clearTimeout(this.sightTimer);
    this.sightTimer = hasTray ? null : setTimeout(() => this.window.standBy(), TRAY_COMES_MS);
  }

  /** Where there is no tray to come back from, closing the window ends the app. */
  private async windowClosed(): Promise<void> {
    await this.lookForTray();
    if (this.panel.hasTray) this.window.hide();
    else app.quit();
  }

  /** One of the older kind comes and goes without a word. */
  private async lookForTray(): Promise<void> {
    await this.panelKnown;
    if (!this.panel.hasHost) await this.panel.look();
  }

  private openTray(): AppTray | null {
    return openTray({
      icons: iconFolder(),
      onDark: () => this.panel.isDark,
      view: () => this.view(),
      actions: {
        copy: (text) => this.perform('copyText', { text }),
        pause: (minutes) => this.perform('pause', { minutes }),
        resume: () => this.perform('resume', {}),
        turn: (shown, on) => void this.turn(shown, on),
        answer: (id, answer) => this.perform('answer', { id, answer }),
        open: () => this.window.show(),
        quit: () => app.quit(),
      },
    });
  }

  /** What is due after a sleep the client does by itself; the app's own times are looked at here. */
  private sleep(begins: boolean): void {
    // Some runtimes tell it twice.
    if (begins === this.sleeps) return;
    this.sleeps = begins;
    this.engine.note({
      level: 'info',
      text: begins ? 'The computer goes to sleep.' : 'The computer woke up.',
      ...told(begins ? 'sleeps' : 'woke'),
    });
    if (begins) return;
    this.shell.checkPause();
    this.engine.look();
  }

  private title(): string {
    const { networkKind } = this.settings.value;
    return networkKind === 'built-in' ? `Shipworm — ${this.words.builtIn}` : 'Shipworm';
  }

  private get words(): Words {
    return WORDS[this.shell.state.locale];
  }

  /** Something in the client or around it changed. */
  private changed(): void {
    this.shell.changed();
    this.tray?.changed();
  }

  /** What the tray asks for goes the way of the window's calls. */
  private perform(name: string, params: unknown): void {
    perform(this.engine, this.shell.api, name, params).then(
      () => this.changed(),
      (error: unknown) => this.engine.note({ level: 'error', text: (error as Error).message }),
    );
  }

  /** The rule may have changed since the menu was made. */
  private async turn(shown: TrayApp, on: boolean): Promise<void> {
    const apps = (await this.engine.api?.apps({})) ?? [];
    const now = apps.find(({ id }) => id === shown.id) ?? shown;
    this.perform('setApp', this.switches.change(now, on));
  }

  private async view(): Promise<TrayView> {
    const { api } = this.engine;
    const { engine, paused, locale } = this.shell.state;
    const status = this.engine.status();
    const questions = ((await api?.questions({})) ?? []).filter(({ answered }) => !answered);
    this.offer(questions);
    return {
      shell: { engine, paused, locale },
      status: status && {
        state: status.state,
        reason: status.reason,
        address: status.address,
        builtIn: status.builtIn,
      },
      apps: ((await api?.apps({})) ?? []).map(
        ({ id, name, path, script, group, user, connectOut, beReached, from }) => ({
          ...{ id, name, path, script, group, user, connectOut, beReached, from },
        }),
      ),
      questions: questions.map(({ id, name }) => ({ id, name })),
    };
  }

  /** What a person may want to be told. */
  private offer(questions: CallResult<'questions'>): void {
    const { words } = this;
    const { engine } = this.shell.state;
    const notices = questions.map((question) => this.asks(question));
    if (engine.state === 'failed')
      notices.push({
        subject: `failure ${engine.code ?? ''}`,
        title: words.failedTitle,
        body: engine.text ?? '',
        buttons: [],
      });
    this.notices.settle(new Set(notices.map(({ subject }) => subject)));
    for (const notice of notices) void this.notifier.offer(notice);
  }

  private asks({ id, name, path, script, group }: CallResult<'questions'>[number]): Notice {
    const { words } = this;
    const button = (label: string, answer: Params<'answer'>['answer']): Button => ({
      label,
      press: () => this.perform('answer', { id, answer }),
    });
    return {
      subject: `application ${group?.id ?? script ?? path ?? name}`,
      title: words.asks(name),
      body: words.asksBody,
      buttons: [
        button(words.allow, 'allow'),
        button(words.notNow, 'not-now'),
        button(words.never, 'never'),
      ],
    };
  }
}

function networkOf(argv: readonly string[]): 'real' | 'built-in' | null {
  if (argv.includes('--real')) return 'real';
  return argv.includes('--demo') ? 'built-in' : null;
}
