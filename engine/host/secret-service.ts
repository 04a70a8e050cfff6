// Module host/secret-service keeps secrets in the desktop's keychain (Secret Service API 0.2, freedesktop.org).
import {
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  hkdfSync,
  randomBytes,
} from 'node:crypto';
import type { Message } from 'dbus-next';
import type { Keychain, Kept, Purpose } from './keychain.ts';
import { SessionBus, unwrapped } from './session-bus.ts';
import { HostError } from './types.ts';

const NAME = 'org.freedesktop.secrets';
const SERVICE = '/org/freedesktop/secrets';
const SECRET = 'org.freedesktop.Secret';
/** Instead of the path of an object: there is none. */
const NO_OBJECT = '/';
/** So long a person may take with the keychain's prompt, ms. */
const PROMPT_MS = 60_000;
/** The second Oakley group (RFC 2409 §6.2), which the algorithm's name says. Not every runtime knows it by name. */
const ALGORITHM = 'dh-ietf1024-sha256-aes128-cbc-pkcs7';
const PRIME = `${'f'.repeat(16)}c90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381${'f'.repeat(16)}`;
const CIPHER = 'aes-128-cbc';
const BLOCK = 16;
const TEXT = 'text/plain; charset=utf8';

/** Errors of the bus that mean: no keychain here. */
const ABSENT = /\.(ServiceUnknown|NameHasNoOwner|AccessDenied|UnknownMethod|Spawn\.\w+)$/;

/** A secret on its way: session, IV, encrypted bytes, what they are. */
type Wrapped = readonly [string, Uint8Array, Uint8Array, string];

interface Session {
  readonly path: string;
  readonly key: Uint8Array;
}

interface Found {
  readonly open: readonly string[];
  readonly locked: readonly string[];
}

export class SecretService implements Keychain {
  private readonly bus: SessionBus;
  private session: Session | null = null;
  /** Whether what needs the person's answer may have it asked for. */
  private asks = true;
  /** Prompts that wait for the person. */
  private readonly prompts = new Map<string, (completed: readonly unknown[]) => void>();

  private constructor(bus: SessionBus) {
    this.bus = bus;
  }

  /** Null where the session has no bus, or nobody on it keeps secrets. Throws HostError 'keychain-failed'. */
  static async open(): Promise<SecretService | null> {
    const bus = await SessionBus.open(() => undefined);
    if (!bus) return null;
    const service = new SecretService(bus);
    try {
      service.session = await service.openSession();
      const prompts = `type='signal',sender='${NAME}',interface='${SECRET}.Prompt'`;
      await bus.hear(prompts, (signal) => service.prompted(signal));
      return service;
    } catch (error) {
      bus.close();
      if (ABSENT.test(typeOf(error))) return null;
      throw failure(error);
    }
  }

  read(purpose: Purpose): Promise<Kept> {
    return told(async () => {
      const { open, locked } = await this.search(purpose);
      if (open.length === 0) return { state: locked.length > 0 ? 'locked' : 'none' };
      const [wrapped] = await this.call(open[0]!, 'Item', 'GetSecret', 'o', [this.session!.path]);
      return { state: 'found', secret: this.unwrapped(wrapped as Wrapped) };
    });
  }

  unlock(purpose: Purpose): Promise<void> {
    return told(async () => {
      this.asks = true;
      const { locked } = await this.search(purpose);
      await this.open(locked);
    });
  }

  write(purpose: Purpose, secret: Uint8Array, asks: boolean): Promise<void> {
    return told(async () => {
      this.asks = asks;
      const item = await this.item(purpose);
      if (item !== undefined) {
        await this.call(item, 'Item', 'SetSecret', '(oayays)', [this.wrapped(secret)]);
        return;
      }
      const collection = await this.collection();
      const properties = {
        [`${SECRET}.Item.Label`]: new this.bus.library.Variant('s', purpose.label),
        [`${SECRET}.Item.Attributes`]: new this.bus.library.Variant('a{ss}', attributes(purpose)),
      };
      const given = [properties, this.wrapped(secret), true];
      const made = await this.call(collection, 'Collection', 'CreateItem', 'a{sv}(oayays)b', given);
      await this.answered(made[1]);
    });
  }

  remove(purpose: Purpose): Promise<void> {
    return told(async () => {
      this.asks = true;
      for (;;) {
        const item = await this.item(purpose);
        if (item === undefined) return;
        const [prompt] = await this.call(item, 'Item', 'Delete');
        await this.answered(prompt);
      }
    });
  }

  close(): void {
    this.bus.close();
  }

  // ---- items

  private async search(purpose: Purpose): Promise<Found> {
    const given = [attributes(purpose)];
    const answer = await this.call(SERVICE, 'Service', 'SearchItems', 'a{ss}', given);
    const [open, locked] = answer as [string[], string[]];
    return { open, locked };
  }

  /** The item of `purpose`, unlocked; undefined: there is none. */
  private async item(purpose: Purpose): Promise<string | undefined> {
    const { open, locked } = await this.search(purpose);
    if (open.length === 0) await this.open(locked);
    return open[0] ?? locked[0];
  }

  /** Where new items go, unlocked; a desktop on which nothing was ever kept makes it first. */
  private async collection(): Promise<string> {
    const [usual] = await this.call(SERVICE, 'Service', 'ReadAlias', 's', ['default']);
    if (usual !== NO_OBJECT) {
      await this.open([usual as string]);
      return usual as string;
    }
    const properties = {
      [`${SECRET}.Collection.Label`]: new this.bus.library.Variant('s', 'Default'),
    };
    const given = [properties, 'default'];
    const answer = await this.call(SERVICE, 'Service', 'CreateCollection', 'a{sv}s', given);
    const [made, prompt] = answer as [string, string];
    return made === NO_OBJECT ? String(await this.answered(prompt)) : made;
  }

  private async open(locked: readonly string[]): Promise<void> {
    if (locked.length === 0) return;
    const [, prompt] = await this.call(SERVICE, 'Service', 'Unlock', 'ao', [locked]);
    await this.answered(prompt);
  }

  // ---- the person

  /** What the person's answer to `prompt` came to. Throws HostError 'keychain-locked' without one, or when it is no. */
  private async answered(prompt: unknown): Promise<unknown> {
    const path = prompt as string;
    if (path === NO_OBJECT) return undefined;
    if (!this.asks) return this.dismissed(path);
    let timer: NodeJS.Timeout | undefined;
    const completed = new Promise<readonly unknown[]>((resolve) => {
      this.prompts.set(path, resolve);
      timer = setTimeout(resolve, PROMPT_MS, [true]);
    });
    try {
      await this.call(path, 'Prompt', 'Prompt', 's', ['']);
      const [dismissed, result] = await completed;
      if (dismissed === false) return unwrapped(result);
      return await this.dismissed(path);
    } finally {
      clearTimeout(timer);
      this.prompts.delete(path);
    }
  }

  private async dismissed(path: string): Promise<never> {
    await this.call(path, 'Prompt', 'Dismiss').catch(() => undefined);
    throw new HostError('keychain-locked', 'The keychain was not unlocked.');
  }

  private prompted({ interface: name, member, path, body }: Message): void {
    if (name === `${SECRET}.Prompt` && member === 'Completed')
      this.prompts.get(path)?.(body as unknown[]);
  }

  // ---- the wire

  private async call(
    path: string,
    part: string,
    member: string,
    signature = '',
    body: readonly unknown[] = [],
  ): Promise<readonly unknown[]> {
    const place = { destination: NAME, path, interface: `${SECRET}.${part}` };
    const answer = await this.bus.call({ ...place, member, signature, body });
    return answer.body as readonly unknown[];
  }

  /** Agrees on a key, so that who watches the bus does not see the secrets. */
  private async openSession(): Promise<Session> {
    const ours = createDiffieHellman(PRIME, 'hex', 2);
    const given = [ALGORITHM, new this.bus.library.Variant('ay', ours.generateKeys())];
    const answer = await this.call(SERVICE, 'Service', 'OpenSession', 'sv', given);
    const [theirs, path] = [unwrapped(answer[0]) as Uint8Array, answer[1] as string];
    // As long as the prime, with zeros before it.
    const common = ours.computeSecret(theirs);
    return { path, key: new Uint8Array(hkdfSync('sha256', common, '', '', BLOCK)) };
  }

  private wrapped(secret: Uint8Array): Wrapped {
    const { path, key } = this.session!;
    const iv = randomBytes(BLOCK);
    const cipher = createCipheriv(CIPHER, key, iv);
    return [path, iv, Buffer.concat([cipher.update(secret), cipher.final()]), TEXT];
  }

  private unwrapped([, iv, bytes]: Wrapped): Uint8Array {
    const decipher = createDecipheriv(CIPHER, this.session!.key, iv);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  }
}

const attributes = ({ name }: Purpose): Readonly<Record<string, string>> => ({
  application: 'shipworm',
  purpose: name,
});

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(error);
  }
}

/** The bus's name of an error; empty where nobody answered. */
const typeOf = (error: unknown): string => (error as { readonly type?: string }).type ?? '';

function failure(error: unknown): HostError {
  if (error instanceof HostError) return error;
  const locked = typeOf(error).endsWith('.IsLocked');
  const text = `The keychain could not be used (${(error as Error).message}).`;
  return new HostError(locked ? 'keychain-locked' : 'keychain-failed', text);
}
