// Module electron/autostart starts the app with the session, by an entry of the XDG autostart folder.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A word of an Exec line (Desktop Entry Specification, "The Exec key"): quoted, with a doubled percent sign. */
function quoted(word: string): string {
  return `"${word.replace(/["`$\\]/g, '\\$&').replaceAll('%', '%%')}"`;
}

/** The entry that runs `command`. A backslash is one of the file's own, too. */
function desktopEntry(command: readonly string[]): string {
  return [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Shipworm',
    'Comment=Direct IPv6 between two PCs behind home routers',
    `Exec=${command.map(quoted).join(' ').replaceAll('\\', '\\\\')}`,
    'Icon=shipworm',
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
}

export class Autostart {
  private readonly path: string;
  private readonly command: readonly string[];

  /** @param config the user's folder of configuration (XDG_CONFIG_HOME); @param command what starts the app hidden */
  constructor(config: string, command: readonly string[]) {
    this.path = join(config, 'autostart', 'shipworm.desktop');
    this.command = command;
  }

  /** A session's own tools may have switched the entry off without removing it. */
  isOn(): boolean {
    if (!existsSync(this.path)) return false;
    const text = readFileSync(this.path, 'utf8');
    return !/^(Hidden=true|X-GNOME-Autostart-enabled=false)\s*$/m.test(text);
  }

  set(on: boolean): void {
    if (!on) {
      rmSync(this.path, { force: true });
      return;
    }
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(this.path, desktopEntry(this.command));
  }
}
