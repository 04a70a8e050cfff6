// Tests that the server which the user chose stays the one in use: through a short sleep, a long one, and its own silence.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SERVERS } from '../../engine/service/builtin/places.ts';
import { Whole } from './whole.ts';

describe('the server that the user chose', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const PAUSE = (whole: Whole, on: boolean): Promise<unknown> => {
    whole.client.pause(on);
    return Promise.resolve();
  };
  /** Nobody needs the tunnel: it sleeps by itself, after 30 s. */
  const REST = (whole: Whole, on: boolean): Promise<unknown> =>
    whole.client.api.changeBuiltIn({ change: 'program', name: 'Chess', running: !on });

  test.each([
    { how: PAUSE, ms: 1_000, state: 'off' },
    { how: PAUSE, ms: 3_600_000, state: 'off' },
    { how: REST, ms: 40_000, state: 'dormant' },
    { how: REST, ms: 75_000, state: 'dormant' },
  ])('is the one in use after $ms ms $state, with the same address', async ({ how, ms, state }) => {
    const whole = await Whole.start();
    const { client } = whole;
    const [first, second] = SERVERS.map(({ primary }) => `${primary}:3544`);
    expect(client.status().server).toBe(first);
    const moved = client.api.nextServer({});
    await whole.run(1_000);
    expect(await moved).toMatchObject({ ok: true, name: SERVERS[1].host });
    const { address } = client.status();
    await how(whole, true);
    await whole.run(ms);
    expect(client.status().state).toBe(state);
    await how(whole, false);
    await whole.run(2_000);
    expect(client.status()).toMatchObject({ state: 'qualified', server: second, address });
    // The next one is the first again.
    const back = client.api.nextServer({});
    await whole.run(1_000);
    expect(await back).toMatchObject({ ok: true, name: SERVERS[0].host });
    await client.close();
  });
});
