// Module test/app/kit/rows takes the window off its engine, and shows it what a network of thousands, or a client that is starting, would.
import { UPDATE } from '../../../electron/channels.ts';
import { emptySnapshot } from '../../../engine/service/slices.ts';
import type { FlowRow, LogRow, PeerRow, Snapshot } from '../../../engine/service/slices.ts';
import type { App } from './app.ts';

/** From here on the window hears from its tests alone. */
export async function holdWindow(app: App): Promise<void> {
  await app.page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const stop = window.shipworm.watch((update) => {
          if (update.kind !== 'snapshot') return;
          (globalThis as { first?: unknown }).first = update.snapshot;
          stop();
          resolve();
        });
      }),
  );
}

const firstOf = (app: App): Promise<Snapshot> =>
  app.page.evaluate(() => (globalThis as unknown as { first: Snapshot }).first);

/** The window while its client starts, in the state and the words that the app itself has then. */
export async function showStarting(app: App): Promise<void> {
  const { shell, builtIn } = await firstOf(app);
  const snapshot: Snapshot = {
    ...emptySnapshot({ code: 'starting', text: '' }, []),
    builtIn,
    shell: { ...shell, theme: 'light', engine: { state: 'starting', code: null, text: null } },
  };
  await app.electron.evaluate(
    ({ BrowserWindow }, { channel, given }) => {
      BrowserWindow.getAllWindows()[0]!.webContents.send(channel, {
        kind: 'snapshot',
        snapshot: given,
      });
    },
    { channel: UPDATE, given: snapshot },
  );
}

/** Hands the window, over the app's own channel, a snapshot with so many rows of each list. */
export async function fillWindow(app: App, rows: number): Promise<void> {
  const snapshot = await firstOf(app);
  await app.electron.evaluate(
    ({ BrowserWindow }, { channel, given, count }) => {
      const peer = (i: number, more: number): PeerRow => ({
        address: `2001:0:c000:201:${(i >> 8).toString(16)}:${(i & 255).toString(16)}:39cc:9bf8`,
        kind: i % 5 === 0 ? 'native' : 'teredo',
        endpoint: `198.51.100.${i % 250}:${1024 + i}`,
        path: i % 7 === 0 ? null : 'bubbles',
        trusted: true,
        rttMs: 20 + (i % 100),
        bytesIn: i * 100 + more,
        bytesOut: i * 90,
        lastHeardAt: Date.now(),
      });
      const flow = (i: number): FlowRow => ({
        protocol: 'tcp',
        local: '2001:0:c000:201:38de:105:39cc:9bf8',
        localPort: 40_000 + (i % 20_000),
        remote: peer(i, 0).address,
        remotePort: 443,
        direction: 'out',
        verdict: i % 3 === 0 ? 'refuse' : 'pass',
        reason: i % 3 === 0 ? 'no-rule' : 'allowed',
        app: null,
        pid: null,
        confidence: 'unknown',
        lastAt: Date.now() - i,
      });
      const line = (i: number): LogRow => ({
        seq: i + 1,
        at: Date.now(),
        level: 'info',
        text: `Line ${i} of the log, as long as most of them are.`,
      });
      const many = <T>(make: (i: number) => T): T[] =>
        Array.from({ length: count }, (_, i) => make(i));
      const full: Snapshot = {
        ...given,
        peers: many((i) => peer(i, 0)),
        flows: many(flow),
        log: many(line),
      };
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      webContents.send(channel, { kind: 'snapshot', snapshot: full });
      let tick = 0;
      (globalThis as unknown as { change: (changed: number) => void }).change = (changed) => {
        tick += 1;
        const some = <T>(make: (i: number) => T): T[] =>
          Array.from({ length: changed }, (_, i) => make((i * 7 + tick) % count));
        webContents.send(channel, {
          kind: 'change',
          set: {},
          patches: {
            peers: { upsert: some((i) => peer(i, tick)), remove: [] },
            flows: { upsert: some(flow), remove: [] },
            log: { upsert: [line(count + tick)], remove: [String(tick)] },
          },
        });
      };
    },
    { channel: UPDATE, given: snapshot, count: rows },
  );
}

/** Tells the window, one by one, of totals a second apart in the engine's time: so many bytes more each. */
export async function showTraffic(app: App, more: readonly number[]): Promise<void> {
  const { traffic } = await firstOf(app);
  await app.electron.evaluate(
    async ({ BrowserWindow }, { channel, first, steps }) => {
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      const kept = globalThis as unknown as { told?: typeof first };
      for (const step of steps) {
        const { at, bytesIn, bytesOut } = kept.told ?? first;
        kept.told = { ...first, at: at + 1_000, bytesIn: bytesIn + step, bytesOut };
        webContents.send(channel, { kind: 'change', set: { traffic: kept.told }, patches: {} });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    { channel: UPDATE, first: traffic, steps: more },
  );
}
