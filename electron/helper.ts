// Module electron/helper says whether the privileged helper is there; installing it is the only thing that is ever elevated.
import { join } from 'node:path';
import { exec } from '@vscode/sudo-prompt';
import { installedHelper, sha256Of } from '../engine/service/helper.ts';
import type { ShellState } from '../engine/service/shell-calls.ts';
import script from '../assets/install-helper.sh?raw';
import action from '../assets/polkit/org.shipworm.helper.policy?raw';
import unit from '../assets/systemd/shipworm-desktop-helper.service?raw';
import socket from '../assets/systemd/shipworm-desktop-helper.socket?raw';

export type HelperState = ShellState['helper'];

const MISSING: HelperState = {
  state: 'missing',
  text: 'The helper that makes the network adapter is not installed. Install it; you are asked for an administrator’s password once.',
};
const STATES: Readonly<Record<ReturnType<typeof installedHelper>, HelperState>> = {
  none: MISSING,
  other: {
    state: 'missing',
    text: 'The helper that is installed belongs to another version. Install it again; you are asked for an administrator’s password once.',
  },
  same: { state: 'installed', text: 'The helper is installed.' },
};

/** One word of a shell's line. */
const word = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * The command that installs the helper at `source`, to be run as root by a shell of any kind: it is all letters, so that no
 * quoting can change it on its way. Nothing in it is read from a file that somebody could exchange, but the helper, whose
 * copy is checked.
 */
function installCommand(source: string): string {
  const values = { source, sum: sha256Of(source), action, unit, socket };
  const lines = Object.entries(values).map(([name, value]) => `${name}=${word(value)}`);
  const text = Buffer.from(`${lines.join('\n')}\n${script}`).toString('base64');
  return `echo ${text} | base64 -d | /bin/sh`;
}

export class Helper {
  private readonly source: string;
  private current: HelperState;

  /** @param folder where this version's native parts are */
  constructor(folder: string) {
    this.source = join(folder, 'shipworm-helper');
    this.current = STATES[installedHelper(this.source)];
  }

  get state(): HelperState {
    return this.current;
  }

  /** Asks an administrator, once, and installs. `onChange` is called when it begins. */
  async install(onChange: () => void): Promise<HelperState> {
    if (this.current.state === 'working') return this.current;
    this.current = { state: 'working', text: 'Waiting for an administrator’s password.' };
    onChange();
    const failure = await elevated(installCommand(this.source));
    const found = STATES[installedHelper(this.source)];
    this.current =
      failure === null || found.state === 'installed'
        ? found
        : {
            state: 'refused',
            text: `The helper was not installed (${failure}). The built-in network works without it; for a real one, install it when you like.`,
          };
    return this.current;
  }
}

/** Runs `command` as root after asking; gives why it failed, or null. */
function elevated(command: string): Promise<string | null> {
  return new Promise((resolve) => {
    exec(command, { name: 'Shipworm' }, (error, _stdout, stderr) => {
      const said = stderr?.toString().trim().split('\n').at(-1);
      resolve(error ? (said || error.message).replace(/[.\s]+$/, '') : null);
    });
  });
}
