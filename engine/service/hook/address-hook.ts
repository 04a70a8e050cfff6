// Module hook/address-hook tells of a new Teredo address outside: by the user's command, and by an update of a DNS record.
import { parseIp6, writeIp6 } from '../../wire/index.ts';
import type { Status } from '../api.ts';
import type { Settings } from '../config.ts';
import type { LogEntry } from '../log.ts';
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
}

/** Off unless the settings name a command or a DNS server. */
export class AddressHook {
  private readonly parts: AddressHookParts;
  private last: string | null;
  private first = true;
  private closed = false;
  /** One after the other, and the newest address last. */
  private work: Promise<void> = Promise.resolve();
  private retry: NodeJS.Timeout | null = null;

  constructor(parts: AddressHookParts) {
    this.parts = parts;
    this.last = parts.lastAddress;
  }

  /** The state may be another. */
  look({ address, server, mapped }: Pick<Status, 'address' | 'server' | 'mapped'>): void {
    if (this.closed || address === null) return;
    const { addressCommand, dnsUpdate } = this.parts.settings;
    const oldAddress = this.last;
    const changed = address !== oldAddress;
    const { first } = this;
    this.first = false;
    this.last = address;
    const change: AddressChange = { address, oldAddress, server, mapped };
    if (changed && addressCommand)
      this.work = this.work.then(() => this.command(addressCommand, change));
    // A record that could not be set in the last run is set in this one.
    if ((changed || first) && dnsUpdate) {
      if (this.retry) clearTimeout(this.retry);
      this.work = this.work.then(() => this.update(address, 0));
    }
  }

  /** What runs ends by itself; nothing new begins. */
  close(): void {
    this.closed = true;
    if (this.retry) clearTimeout(this.retry);
  }

  private async command(command: readonly string[], change: AddressChange): Promise<void> {
    if (this.closed) return;
    const failure = await runCommand(command, change);
    this.parts.log(
      failure === null
        ? { level: 'info', text: `The command for a new address has run: ${command[0]}` }
        : { level: 'warning', text: `The command for a new address, ${command[0]}, ${failure}.` },
    );
  }

  private async update(address: string, attempt: number): Promise<void> {
    const { dnsUpdate } = this.parts.settings;
    if (this.closed || !dnsUpdate || address !== this.last) return;
    const { server, port, zone, name, ttl, key } = dnsUpdate;
    try {
      const bytes = addressBytes(address);
      await sendUpdate(server, port, { zone, name, ttl, key, address: bytes });
      this.parts.log({ level: 'info', text: `${name} leads to ${address} now, says ${server}.` });
    } catch (error) {
      const wait = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]!;
      const text = `The address of ${name} could not be updated at ${server}: ${(error as Error).message}. Trying again in ${wait / 1000} s.`;
      if (attempt === 0) this.parts.log({ level: 'warning', text });
      this.retry = setTimeout(() => {
        this.work = this.work.then(() => this.update(address, attempt + 1));
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
