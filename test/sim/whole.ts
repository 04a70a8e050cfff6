// Runs the whole built-in network with its client and its commands in virtual time; needs fake timers.
import { expect, vi } from 'vitest';
import type { FaultName } from '../../engine/service/builtin/faults.ts';
import { startBuiltIn } from '../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../engine/service/builtin/start.ts';

/** The whole built-in network, its client and its commands; time goes by when it is told to. */
export class Whole {
  readonly client: RunningBuiltIn;

  private constructor(client: RunningBuiltIn) {
    this.client = client;
  }

  static async start(): Promise<Whole> {
    const failed = (error: Error): never => {
      throw error;
    };
    const client = await startBuiltIn(
      { control: null },
      { log: () => undefined, onFailed: failed },
    );
    const whole = new Whole(client);
    await whole.run(5_000);
    expect(client.status().state).toBe('qualified');
    return whole;
  }

  async run(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  async set(name: FaultName): Promise<void> {
    await this.client.api.changeBuiltIn({ change: 'fault', name });
  }

  async heal(): Promise<void> {
    await this.client.api.changeBuiltIn({ change: 'heal' });
  }

  /** The relay through which the native host `address` answers within `ms`; null: it does not. */
  async relay(address: string, ms: number): Promise<string | null> {
    const pong = this.client.api.ping({ address, timeoutMs: ms });
    await this.run(ms + 1);
    if (!(await pong).ok) return null;
    const peers = await this.client.api.peers({});
    return peers.find((peer) => peer.address === address)?.endpoint?.replace(/:\d+$/, '') ?? null;
  }

  /** What the doctor says stands in the way. */
  async verdict(): Promise<{ readonly ok: boolean; readonly text: string }> {
    const report = this.client.api.doctor({});
    await this.run(60_000);
    return (await report).verdict;
  }
}
