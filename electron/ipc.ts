// Module electron/ipc answers the window's calls and tells it what changes, after looking at who asks and what for.
import { ipcMain } from 'electron';
import type { BrowserWindow, IpcMainEvent, IpcMainInvokeEvent } from 'electron';
import { calls } from '../engine/service/api.ts';
import type { CallName } from '../engine/service/api.ts';
import type { Outcome } from '../engine/service/bridge.ts';
import { failureOf, ServiceError } from '../engine/service/errors.ts';
import { parseParams, performCall } from '../engine/service/perform.ts';
import { shellCalls } from '../engine/service/shell-calls.ts';
import type { ShellApi, ShellCallName } from '../engine/service/shell-calls.ts';
import type { EngineSnapshot, Update } from '../engine/service/slices.ts';
import { CALL, UNWATCH, UPDATE, WATCH } from './channels.ts';
import type { Engine } from './engine.ts';
import { isOurWindow } from './hardening.ts';
import type { Shell } from './shell.ts';

export interface IpcParts {
  readonly window: () => BrowserWindow | null;
  readonly engine: Engine;
  readonly shell: Shell;
}

/** Answers from now on. */
export function serveWindow({ window, engine, shell }: IpcParts): void {
  const watching = new WindowWatch({ window, engine, shell });
  const ours = (event: IpcMainEvent | IpcMainInvokeEvent): boolean =>
    isOurWindow(event, window()?.webContents ?? null);
  ipcMain.handle(CALL, async (event, name: unknown, params: unknown): Promise<Outcome<unknown>> => {
    try {
      if (!ours(event)) throw new ServiceError('bad-request', 'Only the window may ask.');
      return { ok: true, result: await perform(engine, shell.api, name, params) };
    } catch (error) {
      return { ok: false, error: failureOf(error) };
    }
  });
  ipcMain.on(WATCH, (event) => {
    if (ours(event)) watching.begin();
  });
  ipcMain.on(UNWATCH, (event) => {
    if (ours(event)) watching.end();
  });
}

/** One call of the app or of the client. Throws ServiceError. */
export async function perform(
  engine: Engine,
  shellApi: ShellApi,
  name: unknown,
  params: unknown,
): Promise<unknown> {
  if (typeof name === 'string' && Object.hasOwn(shellCalls, name)) {
    const call = name as ShellCallName;
    const parsed = parseParams(shellCalls[call].params, params);
    return (shellApi[call] as (given: unknown) => Promise<unknown>)(parsed);
  }
  if (typeof name !== 'string' || !Object.hasOwn(calls, name))
    throw new ServiceError('unknown-call', `There is no call ${String(name)}.`);
  const { api, state } = engine;
  if (!api && (name === 'doctor' || name === 'doctorState') && engine.doctorAlone)
    return performCall(engine.doctorAlone, name, params);
  if (!api)
    throw new ServiceError(state.code ?? 'not-running', state.text ?? 'Shipworm is starting.');
  return performCall(api, name as CallName, params);
}

/** Tells the window of every change while it can be seen; when it is shown again it hears the whole. */
class WindowWatch {
  private readonly parts: IpcParts;
  private stop: (() => void) | null = null;
  private wanted = false;
  /** The window has the whole, so that changes mean something to it. */
  private whole = false;
  private seen: BrowserWindow | null = null;

  constructor(parts: IpcParts) {
    this.parts = parts;
  }

  begin(): void {
    this.wanted = true;
    const window = this.parts.window()!;
    if (window !== this.seen) {
      this.seen = window;
      const look = (): void => this.look();
      for (const event of ['show', 'restore'] as const) window.on(event as 'show', look);
      for (const event of ['hide', 'minimize', 'closed'] as const) window.on(event as 'hide', look);
      window.webContents.on('did-start-loading', () => this.end());
    }
    this.stop?.();
    this.stop = null;
    this.look();
  }

  end(): void {
    this.wanted = false;
    this.look();
  }

  private look(): void {
    const window = this.parts.window();
    const visible = window !== null && window.isVisible() && !window.isMinimized();
    if (this.wanted && visible) this.stop ??= this.start(window);
    else {
      this.stop?.();
      this.stop = null;
    }
  }

  private start(window: BrowserWindow): () => void {
    const { engine, shell } = this.parts;
    this.whole = false;
    const send = (update: Update): void => {
      if (!window.isDestroyed()) window.webContents.send(UPDATE, update);
    };
    const stopShell = shell.watch((state) => {
      if (this.whole) send({ kind: 'change', set: { shell: state }, patches: {} });
    });
    const stopEngine = engine.watch((update: Update<EngineSnapshot>) => {
      if (update.kind === 'change') {
        if (this.whole) send(update);
        return;
      }
      this.whole = true;
      send({ kind: 'snapshot', snapshot: { ...update.snapshot, shell: shell.state } });
    });
    return () => {
      stopShell();
      stopEngine();
    };
  }
}
