// Module electron/main starts the desktop app: one instance, the client in this process, the window around it; and ends it whole.
import { join } from 'node:path';
import { app, powerMonitor, session } from 'electron';
import { Autostart } from './autostart.ts';
import { Engine } from './engine.ts';
import { protectContents, protectSession, registerScheme } from './hardening.ts';
import { Helper } from './helper.ts';
import { serveWindow } from './ipc.ts';
import {
  bundles,
  iconFolder,
  launchCommand,
  nativeFolder,
  runtime,
  systemName,
  version,
} from './runtime.ts';
import { SettingsFile } from './settings.ts';
import { Shell } from './shell.ts';
import { AppWindow, preloadIn } from './window.ts';

/** The client may need so long to leave; then the app ends without it, and what guards the machine cleans up. */
const CLOSE_MS = 5_000;

/** Ends before anything was started. */
function refuse(sentence: string): never {
  process.stderr.write(`shipworm: ${sentence}\n`);
  process.exit(1);
}

function main(): void {
  if (process.getuid?.() === 0)
    refuse('The app is never root. Start it as the user who sits there; only its helper is root.');
  if (!app.requestSingleInstanceLock()) {
    // The first one shows its window.
    app.exit(0);
    return;
  }
  process.env['SHIPWORM_NATIVE'] ??= join(nativeFolder(), 'shipworm.node');
  registerScheme();
  app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => protectContents(contents));
  void app.whenReady().then(run, (error: unknown) => refuse(String(error)));
}

function run(): void {
  const engine = new Engine({
    onChange: () => shell.changed(),
    onLog: ({ level, text }) => process.stderr.write(`${level}: ${text}\n`),
  });
  const warn = (text: string): void => engine.note({ level: 'warning', text });
  const settings = new SettingsFile(join(app.getPath('userData'), 'shell.json'), warn);
  const chosen = process.argv.includes('--real')
    ? 'real'
    : process.argv.includes('--demo')
      ? 'built-in'
      : null;
  if (chosen) settings.update({ networkKind: chosen });
  const window = new AppWindow({
    title: () =>
      `Shipworm${settings.value.networkKind === 'built-in' ? ' — built-in network' : ''}`,
    icon: join(iconFolder(), 'app-256.png'),
    preload: preloadIn(bundles()),
    warn,
    closeQuits: () => true,
    onQuit: () => app.quit(),
  });
  const shell: Shell = new Shell({
    engine,
    settings,
    autostart: new Autostart(app.getPath('appData'), [...launchCommand(), '--hidden']),
    helper: new Helper(nativeFolder()),
    window: () => window.current,
    guide: join(app.getAppPath(), 'docs'),
  });
  protectSession(session.defaultSession, join(bundles(), 'renderer'));
  serveWindow({ window: () => window.current, engine, shell });
  shell.watch(() => window.retitle());

  const { electron, trial } = runtime();
  const kind = trial ? ', a stand-in for a trial' : '';
  engine.note({
    level: 'info',
    text: `Shipworm ${version()} on ${systemName()} (Electron ${electron}${kind}).`,
  });
  app.on('second-instance', () => window.show());
  powerMonitor.on('resume', () => {
    shell.checkPause();
    engine.look();
  });
  let ending = false;
  app.on('before-quit', (event) => {
    if (ending) return;
    ending = true;
    event.preventDefault();
    window.release();
    const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS));
    void Promise.race([engine.close(), late]).then(() => app.exit(0));
  });
  // Only `quit` ends it.
  app.on('window-all-closed', () => undefined);
  void shell.start();
  if (!process.argv.includes('--hidden') || settings.value.firstRun) window.show();
}

main();
