// Module service/identity keeps the identity of secure qualification (RFC 4380 §5.2.2) in the desktop's keychain, where there is one.
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Keychain, Purpose } from '../host/keychain.ts';
import { HostError } from '../host/types.ts';
import type { LogEntry } from './log.ts';
import { settingsSchema } from './settings-schema.ts';
import { told } from './told.ts';

const { clientId, key } = settingsSchema.shape;
const identitySchema = z.strictObject({ clientId, key });
export type Identity = z.infer<typeof identitySchema>;
export const IDENTITY = ['clientId', 'key'] as const satisfies readonly (keyof Identity)[];

/** Where what is kept there comes from, in place of a file. */
export const KEYCHAIN = 'keychain';
const PURPOSE: Purpose = {
  name: 'secure-qualification',
  label: 'Shipworm: identity for secure qualification',
};

/** `absent`: there is no keychain here. `locked`: what it keeps can't be had. `failed`: it can't be used. */
export type KeychainState = 'absent' | 'open' | 'locked' | 'failed';

export interface IdentityParts {
  /** A connection for each use, so that none is held while nothing is asked. Throws HostError. */
  readonly open: () => Promise<Keychain | null>;
  readonly log: (entry: LogEntry) => void;
}

/** What the keychain keeps of one user, as it was found last. */
export class IdentityKeeper {
  private readonly parts: IdentityParts;
  private found: Identity | null = null;
  private current: KeychainState = 'absent';

  constructor(parts: IdentityParts) {
    this.parts = parts;
  }

  get state(): KeychainState {
    return this.current;
  }

  /** Null: none, or none that can be read. */
  get value(): Identity | null {
    return this.found;
  }

  /** Looks what is kept. `asks`: the person is asked once to unlock it. Never rejects; what was known stays when it can't be asked. */
  async look(asks: boolean): Promise<void> {
    try {
      this.current = await this.use(async (keychain) => {
        let kept = await keychain.read(PURPOSE);
        if (kept.state === 'locked' && this.found === null && asks) {
          this.tell('info', ASKED, 'keychain-asked');
          await keychain.unlock(PURPOSE);
          kept = await keychain.read(PURPOSE);
        }
        if (kept.state === 'locked') return this.found ? 'open' : 'locked';
        this.found = kept.state === 'found' ? parsed(kept.secret) : null;
        return 'open';
      }, 'absent');
      if (this.current === 'absent') this.found = null;
    } catch (error) {
      const { message } = error as HostError;
      this.current = stateAfter(error);
      if (this.current === 'locked') this.tell('warning', LOCKED, 'keychain-locked');
      else this.tell('warning', message, 'keychain-failed', { failure: message });
    }
  }

  /**
   * Keeps `identity`, null: none, instead of what was kept, and reads it back. False: there is no keychain. `asks`: the person may be asked to
   * unlock it. Throws HostError; what is kept then is as before, or may be.
   */
  async keep(identity: Identity | null, asks: boolean): Promise<boolean> {
    try {
      return await this.use(async (keychain) => {
        if (identity === null) await keychain.remove(PURPOSE);
        else await keychain.write(PURPOSE, Buffer.from(JSON.stringify(identity)), asks);
        const kept = await keychain.read(PURPOSE);
        const back = kept.state === 'found' ? parsed(kept.secret) : null;
        if (!isDeepStrictEqual(back, identity))
          throw new HostError('keychain-failed', 'The keychain did not keep what it was given.');
        this.found = identity;
        this.current = 'open';
        return true;
      }, false);
    } catch (error) {
      this.current = stateAfter(error);
      throw error;
    }
  }

  private async use<T>(work: (keychain: Keychain) => Promise<T>, otherwise: T): Promise<T> {
    const keychain = await this.parts.open();
    if (!keychain) return otherwise;
    try {
      return await work(keychain);
    } finally {
      keychain.close();
    }
  }

  private tell(
    level: LogEntry['level'],
    text: string,
    code: Parameters<typeof told>[0],
    params = {},
  ): void {
    this.parts.log({ level, text, ...told(code, params) });
  }
}

function stateAfter(error: unknown): KeychainState {
  return (error as HostError).code === 'keychain-locked' ? 'locked' : 'failed';
}

const ASKED =
  'Your identity for secure qualification is in the keychain, which asks you to unlock it.';
const LOCKED =
  'The keychain stayed locked: the tunnel qualifies without your identity. Unlock it, and then: shipworm reload';

/** Throws HostError 'keychain-failed' when it is none of ours. */
function parsed(secret: Uint8Array): Identity {
  try {
    return identitySchema.parse(JSON.parse(Buffer.from(secret).toString()));
  } catch {
    throw new HostError(
      'keychain-failed',
      `What the keychain keeps as “${PURPOSE.label}” is not what Shipworm wrote; set client identifier and key anew.`,
    );
  }
}
