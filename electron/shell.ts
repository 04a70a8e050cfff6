// Module electron/shell holds what the app says of itself, and answers the calls that only the app has.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { app, clipboard, dialog, nativeTheme, shell } from 'electron';
import type { BrowserWindow, OpenDialogOptions } from 'electron';
import type { Api } from '../engine/service/api.ts';
import { captureInto } from '../engine/service/capture/file.ts';
import type { CaptureFile } from '../engine/service/capture/file.ts';
import { ServiceError, systemCode } from '../engine/service/errors.ts';
import type {
  ShellApi,
  ShellParams,
  ShellResult,
  ShellState,
} from '../engine/service/shell-calls.ts';
import type { Autostart } from './autostart.ts';
import type { Engine } from './engine.ts';
import type { Helper } from './helper.ts';
import { localeOf, runtime, version } from './runtime.ts';
import type { SettingsFile } from './settings.ts';

export interface ShellParts {
  readonly engine: Engine;
  readonly settings: SettingsFile;
  readonly autostart: Autostart;
  readonly helper: Helper;
  readonly window: () => BrowserWindow | null;
  /** See ShellState. */
  readonly tray: () => boolean | null;
  /** The folder that the guides are in. */
  readonly docs: string;
}

/** A file that a person chose, as it was then. */
interface ChosenDocument {
  readonly path: string;
  readonly document: string;
}

/** The app around the client. */
export class Shell {
  private readonly parts: ShellParts;
  private readonly listeners = new Set<(state: ShellState) => void>();
  private capture: CaptureFile | null = null;
  /** What was to be taken and would weaken: the person is asked about this very text. */
  private refused: ChosenDocument | null = null;
  private paused: ShellState['paused'] = null;
  private resumeTimer: NodeJS.Timeout | null = null;

  constructor(parts: ShellParts) {
    this.parts = parts;
    nativeTheme.themeSource = parts.settings.value.theme;
  }

  get state(): ShellState {
    const { engine, settings, autostart, helper, tray } = this.parts;
    const { theme, language, firstRun, notifications, networkKind, server } = settings.value;
    return {
      version: version(),
      runtime: runtime(),
      theme,
      language,
      locale: localeOf(language),
      firstRun,
      paused: this.paused,
      engine: engine.state,
      helper: helper.state,
      tray: tray(),
      home: app.getPath('home'),
      autostart: autostart.isOn(),
      notifications,
      networkKind,
      server,
    };
  }

  /** Calls back with each new state. Returns a stop function. */
  watch(listener: (state: ShellState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Something in `state` may have changed. */
  changed(): void {
    const { state } = this;
    for (const listener of this.listeners) listener(state);
  }

  /** Runs the client on the chosen network. */
  start(): Promise<void> {
    const { networkKind, server } = this.parts.settings.value;
    return this.parts.engine.start(networkKind, server);
  }

  readonly api: ShellApi = {
    setTheme: ({ theme }) => {
      nativeTheme.themeSource = theme;
      return this.set({ theme });
    },
    setLanguage: ({ language }) => this.set({ language }),
    pause: ({ minutes }) => {
      this.setPaused({ until: minutes === null ? null : Date.now() + minutes * 60_000 });
      return done();
    },
    resume: () => {
      this.setPaused(null);
      return done();
    },
    chooseNetwork: async ({ kind, server }) => {
      const named = server ?? this.parts.settings.value.server;
      this.parts.settings.update({ networkKind: kind, server: named });
      this.changed();
      await this.start();
      return {};
    },
    finishFirstRun: () => this.set({ firstRun: false }),
    installHelper: async () => {
      const result = await this.parts.helper.install(() => this.changed());
      this.changed();
      // What failed for want of it goes on by itself.
      if (result.state === 'installed' && this.parts.engine.state.state === 'failed')
        await this.start();
      return result;
    },
    setAutostart: ({ on }) => {
      this.parts.autostart.set(on);
      this.changed();
      return done();
    },
    setNotifications: ({ on }) => this.set({ notifications: on }),
    copyText: async ({ text }) => {
      await clipboard.writeText(text);
      return {};
    },
    save: ({ what }) => this.save(what),
    openGuide: async ({ page = 'guide' }) => {
      const failure = await shell.openPath(join(this.parts.docs, `${page}.md`));
      if (failure)
        throw new ServiceError('guide-unopened', `The guide could not be opened: ${failure}`);
      return {};
    },
    startCapture: ({ inner }) => this.startCapture(inner ?? false),
    stopCapture: () => {
      this.capture?.stop();
      return done();
    },
    openSettings: ({ weaken }) => this.openSettings(weaken ?? false),
    quit: () => {
      // Answered first: the window goes with it.
      setImmediate(() => app.quit());
      return done();
    },
  };

  /** The time goes on although the computer slept: a pause that is over ends. */
  checkPause(): void {
    if (this.paused) this.setPaused(this.paused);
  }

  private setPaused(paused: ShellState['paused']): void {
    if (this.resumeTimer) clearTimeout(this.resumeTimer);
    this.resumeTimer = null;
    const left = paused?.until == null ? Infinity : paused.until - Date.now();
    this.paused = left > 0 ? paused : null;
    if (this.paused && left !== Infinity)
      this.resumeTimer = setTimeout(() => this.setPaused(null), left);
    this.parts.engine.pause(this.paused !== null);
    this.changed();
  }

  private set(change: Parameters<SettingsFile['update']>[0]): Promise<Record<string, never>> {
    this.parts.settings.update(change);
    this.changed();
    return done();
  }

  private async save(what: ShellParams<'save'>['what']): Promise<{ path: string | null }> {
    const path = await this.askWhere(`shipworm-${what}`, 'json');
    if (path === null) return { path };
    try {
      await writeFile(path, await this.textOf(what), { mode: 0o600 });
    } catch (error) {
      throw new ServiceError(
        'file-unwritable',
        `${path} could not be written: ${(error as Error).message}.`,
        { path, why: systemCode(error) },
      );
    }
    return { path };
  }

  private async textOf(what: ShellParams<'save'>['what']): Promise<string> {
    const { engine } = this.parts;
    if (what === 'settings') return (await this.client().exportSettings({})).document;
    if (what === 'report') return (await this.client().report({})).text;
    const rows = what === 'log' ? engine.log.list() : ((await engine.api?.flows({})) ?? []);
    return `${JSON.stringify(rows, null, 2)}\n`;
  }

  private async startCapture(inner: boolean): Promise<ShellResult<'startCapture'>> {
    const client = this.client();
    if ((await client.captureState({})).running)
      throw new ServiceError('capture-runs', 'Another capture is running; end that first.');
    const path = await this.askWhere('shipworm', 'pcapng');
    if (path === null) return { path };
    this.capture = await captureInto(
      {
        begin: () => client.beginCapture({ inner }),
        take: () => client.takeCaptured({}),
        end: () => client.endCapture({}),
      },
      path,
      { replace: true },
    );
    this.capture.finished.catch((error: unknown) =>
      this.parts.engine.note({ level: 'error', text: (error as Error).message }),
    );
    return { path };
  }

  /** Null: the person thought better of it. */
  private async askWhere(what: string, extension: string): Promise<string | null> {
    const window = this.parts.window();
    const name = `${what}-${new Date().toISOString().slice(0, 10)}.${extension}`;
    const filters = [{ name: extension.toUpperCase(), extensions: [extension] }];
    const options = { defaultPath: name, filters };
    const chosen = await (window
      ? dialog.showSaveDialog(window, options)
      : dialog.showSaveDialog(options));
    return chosen.canceled || !chosen.filePath ? null : chosen.filePath;
  }

  private async openSettings(weaken: boolean): Promise<ShellResult<'openSettings'>> {
    const { refused } = this;
    this.refused = null;
    const chosen = weaken ? refused : await this.chooseDocument();
    if (!chosen) return { path: null, applied: [], needRestart: [] };
    const { path, document } = chosen;
    try {
      return { path, ...(await this.client().importSettings({ document, weaken })) };
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'weakens') throw error;
      this.refused = chosen;
      throw new ServiceError(error.code, error.message, { ...error.params, path });
    }
  }

  /** Null: the person thought better of it. */
  private async chooseDocument(): Promise<ChosenDocument | null> {
    const window = this.parts.window();
    const options: OpenDialogOptions = {
      properties: ['openFile'],
      filters: [{ name: 'JSON', extensions: ['json'] }],
    };
    const chosen = await (window
      ? dialog.showOpenDialog(window, options)
      : dialog.showOpenDialog(options));
    const [path] = chosen.filePaths;
    if (chosen.canceled || path === undefined) return null;
    const document = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new ServiceError(
        'file-unreadable',
        `${path} could not be read: ${(error as Error).message}.`,
        { path, why: systemCode(error) },
      );
    });
    return { path, document };
  }

  /** Throws ServiceError where none runs. */
  private client(): Api {
    const { api, state } = this.parts.engine;
    if (api) return api;
    throw new ServiceError(state.code ?? 'not-running', state.text ?? 'Shipworm is starting.');
  }
}

const done = (): Promise<Record<string, never>> => Promise.resolve({});
