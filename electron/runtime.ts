// Module electron/runtime says what this app runs on, and where its own parts are.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { app } from 'electron';
import type { ShellState } from '../engine/service/shell-calls.ts';

/** Set when the bundle is made: the major version of the Electron that the app is made for. */
declare const __PINNED_ELECTRON__: string;

/** The stand-in for the pinned Electron is an older one. */
const isTrial = (): boolean => process.versions.electron.split('.')[0] !== __PINNED_ELECTRON__;

export function runtime(): ShellState['runtime'] {
  const { electron, chrome, node } = process.versions;
  return { electron, chrome, node, trial: isTrial() };
}

/** The version as a person is told it. */
export function version(): string {
  const plain = app.getVersion();
  return isTrial() && !plain.endsWith('~trial') ? `${plain}~trial` : plain;
}

/** Folder of the bundles. */
export const bundles = (): string => join(app.getAppPath(), 'build', 'app');

/** Folder of the native parts: beside the app's archive when packaged, since a library can't be loaded out of it. */
export const nativeFolder = (): string =>
  app.isPackaged
    ? join(process.resourcesPath, 'native')
    : join(app.getAppPath(), 'build', 'native');

/** Folder of icons. */
export const iconFolder = (): string =>
  app.isPackaged ? join(process.resourcesPath, 'icons') : join(app.getAppPath(), 'assets', 'icons');

/** Folder of the documents. */
export const docsFolder = (): string =>
  app.isPackaged ? join(process.resourcesPath, 'docs') : join(app.getAppPath(), 'docs');

/** The session's language if there are words in it, else English. */
export function localeOf(language: ShellState['language']): ShellState['locale'] {
  if (language !== 'system') return language;
  const wanted = app.getPreferredSystemLanguages().concat(app.getLocale());
  const known = wanted
    .map((each) => each.slice(0, 2))
    .find((each) => each === 'ja' || each === 'en');
  return known === 'ja' ? 'ja' : 'en';
}

/** Name and version of the system, for logs. */
export function systemName(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}

/** What starts this app again. */
export const launchCommand = (): readonly string[] =>
  app.isPackaged ? [process.execPath] : [process.execPath, app.getAppPath()];
