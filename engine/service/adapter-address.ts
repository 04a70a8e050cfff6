// Module service/adapter-address keeps our addresses and the default route on the adapter, one change after the other.
import type { Adapter } from '../host/types.ts';
import type { Ip6 } from '../wire/index.ts';

export interface AddressHooks {
  /** The default route leads here: there is no IPv6 of another kind. */
  readonly isLastResort: () => boolean;
  readonly failed: (error: Error) => void;
  /** `shown` became another one. */
  readonly changed: () => void;
}

export class AdapterAddress {
  /** The preferred one; null: none was given, or it was dropped. */
  current: Ip6 | null = null;
  /** The one that programs can use by now: it is on the adapter, and so is the route. */
  shown: Ip6 | null = null;
  private readonly adapter: Adapter;
  private readonly hooks: AddressHooks;
  /** Older addresses, kept for their flows. */
  private deprecated: readonly Ip6[] = [];
  private work: Promise<void> = Promise.resolve();

  constructor(adapter: Adapter, hooks: AddressHooks) {
    this.adapter = adapter;
    this.hooks = hooks;
  }

  /** True when `address` is another one than before. */
  give(address: Ip6, deprecated: readonly Ip6[]): boolean {
    const old = this.all();
    const changed = address !== this.current;
    this.current = address;
    this.deprecated = deprecated;
    this.change(async () => {
      if (changed) await this.adapter.setAddress(address, true);
      for (const each of old) {
        if (each === address) continue;
        if (deprecated.includes(each)) await this.adapter.setAddress(each, false);
        else await this.adapter.removeAddress(each);
      }
      if (changed) await this.adapter.setDefaultRoute(this.hooks.isLastResort());
    });
    if (changed) this.show(address);
    return changed;
  }

  /** Takes all of them away. */
  drop(): void {
    const old = this.all();
    this.current = null;
    this.shown = null;
    this.deprecated = [];
    if (old.length === 0) return;
    this.change(async () => {
      await this.adapter.setDefaultRoute(false);
      for (const each of old) await this.adapter.removeAddress(each);
    });
  }

  /** Puts the preferred one back that the helper may have taken away. */
  restore(): void {
    const address = this.current;
    if (address === null) return;
    this.change(async () => {
      await this.adapter.setAddress(address, true);
      await this.adapter.setDefaultRoute(this.hooks.isLastResort());
    });
  }

  /** Native IPv6 came or went. */
  reroute(): void {
    if (this.current !== null)
      this.change(() => this.adapter.setDefaultRoute(this.hooks.isLastResort()));
  }

  /** Resolves when all changes until now are made. */
  settled(): Promise<void> {
    return this.work;
  }

  /** Once all before is done, even if that failed, which is told by itself. */
  private show(address: Ip6): void {
    this.work = this.work.then(() => {
      if (this.current !== address) return;
      this.shown = address;
      this.hooks.changed();
    });
  }

  private all(): Ip6[] {
    return [...(this.current === null ? [] : [this.current]), ...this.deprecated];
  }

  private change(work: () => Promise<void>): void {
    this.work = this.work.then(work).catch((error: unknown) => this.hooks.failed(error as Error));
  }
}
