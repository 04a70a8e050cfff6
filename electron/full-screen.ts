// Module electron/full-screen finds out whether the program in front fills the screen; where that can't be known, the desktop decides.
import { execFile } from 'node:child_process';

const ASK_MS = 1_000;

/** X11 only (EWMH: _NET_ACTIVE_WINDOW, _NET_WM_STATE); elsewhere false: there the desktop holds notifications back itself. */
export async function isFullScreen(): Promise<boolean> {
  if (!process.env['DISPLAY'] || process.env['WAYLAND_DISPLAY']) return false;
  const active = /0x[0-9a-f]+/i.exec(await xprop(['-root', '_NET_ACTIVE_WINDOW']))?.[0];
  if (active === undefined || /^0x0+$/.test(active)) return false;
  return (await xprop(['-id', active, '_NET_WM_STATE'])).includes('_NET_WM_STATE_FULLSCREEN');
}

function xprop(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile('xprop', args, { timeout: ASK_MS }, (error, stdout) => resolve(error ? '' : stdout));
  });
}
