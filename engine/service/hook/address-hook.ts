// Module hook/address-hook tells of a new Teredo address outside: by the user's command, and by an update of a DNS record.
import { parseIp6, writeIp6 } from '../../wire/index.ts';
import type { Api, Status } from '../api.ts';
import type { Settings } from '../config.ts';
import { ServiceError } from '../errors.ts';
import type { LogEntry } from '../log.ts';
import { told } from '../told.ts';
import type { hookCalls, HookState } from './calls.ts';
import { NOTHING_TOLD } from './state.ts';
import { runCommand } from './command.ts';
import type { AddressChange } from './command.ts';
import { sendUpdate } from './dns-update.ts';

/** Waits before the update is tried again, ms. */
const RETRY_MS = [15_000, 60_000, 300_000, 900_000];

export interface AddressHookParts {
  readonly settings: Pick<Settings, 'addressCommand' | 'dnsUpdate'>;
  /** Of the last run. */
  readonly lastAddress: string | null;
  readonly log: (entry: LogEntry) => void;
  /** Its state is another. */
  readonly onChange?: () => void;
}

type Whereabouts = Pick<Status, 'address' | 'server' | 'mapped'>;

/** Off unless the settings name a command or a DNS server. */
export class AddressHook {
  private readonly parts: AddressHookParts;
  private last: string | null;
  private first = true;
  private closed = false;
  /** One after the other, and the newest address last. */
  private work: Promise<void> = Promise.resolve();
  private retry: NodeJS.Timeout | null = null;
  private state: HookState = NOTHING_TOLD;
  private waiting = 0;

  constructor(parts: AddressHookParts) {
    this.parts = parts;
    this.last = parts.lastAddress;
  }

  /** The state may be another. */
  look({ address, server, mapped }: Whereabouts): void {
    if (this.closed || address === null) return;
    const { addressCommand, dnsUpdate } = this.parts.settings;
    const oldAddress = this.last;
    const changed = address !== oldAddress;
    const { first } = this;
    this.first = false;
    this.last = address;
    const change: AddressChange = { address, oldAddress, server, mapped };
    if (changed && addressCommand) void this.queue(() => this.command(addressCommand, change));
    // A record that could not be set in the last run is set in this one.
    if ((changed || first) && dnsUpdate) this.startUpdate(address);
  }

  /** The calls of hook/calls. */
  api(whereabouts: () => Whereabouts): Pick<Api, keyof typeof hookCalls> {
    return {
      hookState: () => Promise.resolve(this.state),
      runHook: async () => {
        const { addressCommand, dnsUpdate } = this.parts.settings;
        const { address, server, mapped } = whereabouts();
        if (!addressCommand && !dnsUpdate)
          throw new ServiceError(
            'nothing-to-tell',
            'Nothing is told of a new address; set addressCommand or dnsUpdate, and start the tunnel anew.',
          );
        if (address === null)
          throw new ServiceError(
            'no-address-yet',
            'There is no address yet that could be told; wait until the tunnel has one.',
          );
        const change: AddressChange = { address, oldAddress: this.last, server, mapped };
        this.last = address;
        if (addressCommand) void this.queue(() => this.command(addressCommand, change));
        if (dnsUpdate) this.startUpdate(address);
        await this.work;
        return this.state;
      },
    };
  }

  /** What runs ends by itself; nothing new begins. */
  close(): void {
    this.closed = true;
    if (this.retry) clearTimeout(this.retry);
  }

  private queue(work: () => Promise<void>): Promise<void> {
    this.waiting += 1;
    this.become({});
    this.work = this.work.then(work).finally(() => {
      this.waiting -= 1;
      this.become({});
    });
    return this.work;
  }

  private startUpdate(address: string): void {
    if (this.retry) clearTimeout(this.retry);
    void this.queue(() => this.update(address, 0));
  }

  private become(change: Partial<HookState>): void {
    this.state = { ...this.state, ...change, busy: this.waiting > 0 };
    this.parts.onChange?.();
  }

  private async command(command: readonly string[], change: AddressChange): Promise<void> {
    if (this.closed) return;
    const failure = await runCommand(command, change);
    this.become({ command: { at: Date.now(), address: change.address, failure } });
    const program = command[0] ?? '';
    this.parts.log(
      failure === null
        ? {
            level: 'info',
            text: `The command for a new address has run: ${program}`,
            ...told('command-ran', { program }),
          }
        : {
            level: 'warning',
            text: `The command for a new address, ${program}, ${failure}.`,
            ...told('command-failed', { program, failure }),
          },
    );
  }

  private async update(address: string, attempt: number): Promise<void> {
    const { dnsUpdate } = this.parts.settings;
    if (this.closed || !dnsUpdate || address !== this.last) return;
    const { server, port, zone, name, ttl, key } = dnsUpdate;
    try {
      const bytes = addressBytes(address);
      await sendUpdate(server, port, { zone, name, ttl, key, address: bytes });
      this.become({ update: { at: Date.now(), address, failure: null, retryAt: null } });
      this.parts.log({
        level: 'info',
        text: `${name} leads to ${address} now, says ${server}.`,
        ...told('name-updated', { name, address, server }),
      });
    } catch (error) {
      const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
      const failure = (error as Error).message;
      const at = Date.now();
      this.become({ update: { at, address, failure, retryAt: at + wait } });
      const text = `The address of ${name} could not be updated at ${server}: ${failure}. Trying again in ${wait / 1000} s.`;
      const params = { name, server, failure, seconds: wait / 1000 };
      if (attempt === 0)
        this.parts.log({ level: 'warning', text, ...told('name-not-updated', params) });
      this.retry = setTimeout(() => {
        void this.queue(() => this.update(address, attempt + 1));
      }, wait).unref();
    }
  }
}

/** The 16 bytes of an IPv6 address that is one. */
export function addressBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  writeIp6(bytes, 0, parseIp6(text)!);
  return bytes;
}
