// Module electron/main starts the desktop app: one instance, the client in this process, tray and window around it; and ends it whole.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, session } from 'electron';
import { Desktop } from './desktop.ts';
import { protectContents, protectSession, registerScheme, silenceChromium } from './hardening.ts';
import { bundles, nativeFolder } from './runtime.ts';

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
  keepsSettings(app.getPath('userData'));
  if (!app.requestSingleInstanceLock()) {
    // The first one shows its window.
    app.exit(0);
    return;
  }
  process.env['SHIPWORM_NATIVE'] ??= join(nativeFolder(), 'shipworm.node');
  silenceChromium();
  registerScheme();
  app.enableSandbox();
  app.on('web-contents-created', (_event, contents) => protectContents(contents));
  void app.whenReady().then(run, (error: unknown) => refuse(String(error)));
}

/** Without a folder of its own the app would take itself for a second one, and end without a word. */
function keepsSettings(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch {
    refuse(`${folder} can't be written to. Make it, and what is above it, yours.`);
  }
}

function run(): void {
  protectSession(session.defaultSession, join(bundles(), 'renderer'));
  const desktop = new Desktop(process.argv);
  app.on('second-instance', (_event, argv) => desktop.again(argv));
  let ending = false;
  app.on('before-quit', (event) => {
    if (ending) return;
    ending = true;
    event.preventDefault();
    const late = new Promise((resolve) => setTimeout(resolve, CLOSE_MS));
    void Promise.race([desktop.close(), late]).then(() => app.exit(0));
  });
  // Only `quit` ends it.
  app.on('window-all-closed', () => undefined);
}

main();
