// Module electron/hardening is all that keeps the window from what it must not do: its page, its rights, its messages, its ways out.
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { app, protocol } from 'electron';
import type {
  IpcMainEvent,
  IpcMainInvokeEvent,
  Session,
  WebContents,
  WebPreferences,
} from 'electron';

/** The page's own scheme: it has an origin, unlike files, and nothing but the app's own folder is behind it. */
const SCHEME = 'shipworm';
export const ORIGIN = `${SCHEME}://app`;
export const PAGE = `${ORIGIN}/index.html`;

/** Nothing, but for the page's own files; connections to anywhere are refused. */
const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Positions are set one property at a time, by script: no style that is text counts.
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** What every page of this app may and may not. */
export function webPreferences(preload: string): WebPreferences {
  return {
    preload,
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    webviewTag: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    devTools: !app.isPackaged,
  };
}

/**
 * Chromium speaks to nobody: it finds no host, by name or by address, and asks no proxy for one. Left to itself it looks for a
 * server with dictionaries at each start. All that this app sends goes through the engine's own sockets. To be called before the
 * app is ready.
 */
export function silenceChromium(): void {
  app.commandLine.appendSwitch('host-resolver-rules', 'MAP * ~NOTFOUND');
  app.commandLine.appendSwitch('no-proxy-server');
}

/** To be called before the app is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true } },
  ]);
}

/** The file of `folder` that `url` means; null when it means none of them. */
function fileOf(url: string, folder: string): string | null {
  let path: string;
  try {
    const { protocol: scheme, host, pathname } = new URL(url);
    if (`${scheme}//${host}` !== ORIGIN) return null;
    path = normalize(decodeURIComponent(pathname));
  } catch {
    return null;
  }
  const leaves = path.includes('\0') || path.split('/').includes('..');
  return leaves || !(extname(path) in TYPES) ? null : join(folder, path);
}

/** Serves the page's files from `folder`, each with the policy, and refuses every right a page can ask for. */
export function protectSession(session: Session, folder: string): void {
  session.protocol.handle(SCHEME, async ({ url, method }) => {
    const file = method === 'GET' ? fileOf(url, folder) : null;
    const bytes = file === null ? null : await readFile(file).catch(() => null);
    if (file === null || bytes === null) return new Response(null, { status: 404 });
    return new Response(bytes, {
      headers: {
        'content-type': TYPES[extname(file)]!,
        'content-security-policy': CONTENT_POLICY,
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-cache',
      },
    });
  });
  // The page itself asks for nothing: not the camera, not the place, not the clipboard.
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  // Whatever should leave the app's own scheme ends here.
  session.webRequest.onBeforeRequest((details, answer) => {
    const allowed = details.url.startsWith(`${ORIGIN}/`) || details.url.startsWith('devtools:');
    answer({ cancel: !allowed });
  });
  session.on('will-download', (event) => event.preventDefault());
}

/** No page goes anywhere, opens a window, or holds another page. */
export function protectContents(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-redirect', (event) => event.preventDefault());
  contents.on('will-attach-webview', (event) => event.preventDefault());
}

/** Only the top frame of the window itself, showing the app's own page, may speak to the app. */
export function isOurWindow(
  { sender, senderFrame }: IpcMainEvent | IpcMainInvokeEvent,
  window: WebContents | null,
): boolean {
  return (
    window !== null &&
    sender === window &&
    senderFrame !== null &&
    senderFrame === window.mainFrame &&
    senderFrame.url.startsWith(`${ORIGIN}/`)
  );
}
