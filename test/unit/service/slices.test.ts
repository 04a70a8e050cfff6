// Slices of a running client: what a watcher hears, over the control socket too, and how updates become snapshots.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import { listenControl } from '../../../engine/service/control-server.ts';
import { SliceFeed } from '../../../engine/service/slice-feed.ts';
import {
  applyUpdate,
  changeBetween,
  emptySnapshot,
  LOG_ROWS,
} from '../../../engine/service/slices.ts';
import type { EngineSnapshot, PeerRow, Update } from '../../../engine/service/slices.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function builtIn(feed: SliceFeed): Promise<RunningBuiltIn> {
  const client = await startBuiltIn(
    { control: null, feed },
    { log: () => undefined, onFailed: () => undefined },
  );
  undo.push(() => client.close());
  return client;
}

function peer(n: number, heard: number | null = null): PeerRow {
  return {
    address: `2001:0:1::${n.toString(16)}`,
    kind: 'teredo',
    endpoint: null,
    path: null,
    trusted: false,
    rttMs: null,
    bytesIn: 0,
    bytesOut: 0,
    lastHeardAt: heard,
  };
}

const empty = emptySnapshot({ code: 'starting', text: '' }, []);

it('a change holds what changed and no more, and unchanged rows stay the same objects', () => {
  const before: EngineSnapshot = { ...empty, peers: [peer(1, 1000), peer(2), peer(3)] };
  const after: EngineSnapshot = {
    ...empty,
    network: { id: 'home', choice: 'on', remembered: [] },
    // A little later by the clock is the same; a byte more is not.
    peers: [peer(1, 1200), { ...peer(3), bytesIn: 1 }, peer(4)],
  };
  const change = changeBetween(before, after)!;
  expect(change).toEqual({
    kind: 'change',
    set: { network: { id: 'home', choice: 'on', remembered: [] } },
    patches: {
      peers: { upsert: [{ ...peer(3), bytesIn: 1 }, peer(4)], remove: [peer(2).address] },
    },
  });
  const next = applyUpdate(before, change);
  expect(next.peers).toEqual([peer(1, 1000), { ...peer(3), bytesIn: 1 }, peer(4)]);
  expect(next.peers[0]).toBe(before.peers[0]);
  expect(next.apps).toBe(before.apps);
  expect(next.network.id).toBe('home');
  expect(changeBetween(next, { ...next })).toBeNull();
});

it('a change without a snapshot before it is refused', () => {
  expect(() => applyUpdate(null, { kind: 'change', set: {}, patches: {} })).toThrow(TypeError);
});

it('updates applied one after the other give what the client says', async () => {
  const feed = new SliceFeed();
  const client = await builtIn(feed);
  let snapshot: EngineSnapshot | null = null;
  const kinds: string[] = [];
  undo.push(
    feed.watch((update) => {
      kinds.push(update.kind);
      snapshot = applyUpdate(snapshot, update);
    }),
  );
  const seen = (): EngineSnapshot => snapshot!;
  await vi.waitFor(() => expect(seen().status.state).toBe('qualified'), 10_000);
  expect(kinds[0]).toBe('snapshot');
  expect(kinds.slice(1)).not.toContain('snapshot');
  expect(seen().log.some(({ text }) => text.startsWith('Qualified:'))).toBe(true);
  expect(seen().builtIn!.nat).toBe((await client.api.builtIn({})).nat);
  const asking = (await client.api.builtIn({})).programs.find(({ allowed }) => !allowed)!;
  await client.api.changeBuiltIn({ change: 'program', name: asking.name, running: true });
  await vi.waitFor(() => expect(seen().questions.length).toBeGreaterThan(0), 10_000);
  await client.api.answer({ id: seen().questions[0]!.id, answer: 'allow' });
  await vi.waitFor(() => {
    expect(seen().apps).toEqual(
      expect.arrayContaining([expect.objectContaining({ from: 'user' })]),
    );
    expect(seen().flows.some(({ verdict }) => verdict === 'pass')).toBe(true);
    expect(seen().traffic.bytesOut).toBeGreaterThan(0);
  }, 10_000);
});

it('a paused client is off, says so, and comes back', async () => {
  const client = await builtIn(new SliceFeed());
  await vi.waitFor(() => expect(client.status().state).toBe('qualified'), 10_000);
  client.pause(true);
  expect(client.status()).toMatchObject({ state: 'off', reason: { code: 'paused' } });
  client.pause(false);
  await vi.waitFor(() => expect(client.status().state).not.toBe('off'), 10_000);
});

it('nobody is told more than ten times a second, and nothing runs when nobody watches', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  undo.push(() => vi.useRealTimers());
  const feed = new SliceFeed();
  let looks = 0;
  const rows = (): Promise<never[]> => Promise.resolve([]);
  feed.attach(
    {
      apps: rows,
      reachable: rows,
      flows: rows,
      questions: rows,
      policy: () => Promise.resolve(empty.policy),
      network: () => Promise.resolve(empty.network),
      servers: () => Promise.resolve([]),
      failover: () => Promise.resolve(empty.servers.failover),
      ownState: () => Promise.resolve(empty.own),
      pcs: () => Promise.resolve([]),
      captureState: () => Promise.resolve(empty.capture),
      hookState: () => Promise.resolve(empty.hook),
      settings: () => Promise.resolve(empty.settings),
      doctorState: () => Promise.resolve(empty.doctor),
    },
    () => {
      looks++;
      return { ...empty.status, mtu: looks, peers: [] };
    },
  );
  feed.changed();
  expect(vi.getTimerCount()).toBe(0);
  const updates: Update<EngineSnapshot>[] = [];
  const stop = feed.watch((update) => updates.push(update));
  for (let ms = 0; ms < 2_000; ms += 5) {
    feed.changed();
    await vi.advanceTimersByTimeAsync(5);
  }
  expect(updates.length).toBeGreaterThan(10);
  expect(updates.length).toBeLessThanOrEqual(21);
  const before = looks;
  await vi.advanceTimersByTimeAsync(3_000);
  expect(looks - before).toBeLessThanOrEqual(4);
  stop();
  expect(vi.getTimerCount()).toBe(0);
});

it('the log keeps its last lines and numbers them', () => {
  const feed = new SliceFeed();
  for (let i = 1; i <= LOG_ROWS + 5_000; i++) feed.log.add({ level: 'info', text: `line ${i}` });
  const lines = feed.log.list();
  expect(lines.length).toBe(LOG_ROWS);
  expect(lines.at(-1)).toMatchObject({ seq: LOG_ROWS + 5_000, text: `line ${LOG_ROWS + 5_000}` });
  expect(lines[0]!.seq).toBe(5_001);
});

it('the call `watch` streams updates over the control socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shipworm-slices-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'control.sock');
  const feed = new SliceFeed();
  const client = await builtIn(feed);
  const control = await listenControl(path);
  undo.push(() => control.close());
  control.serve(client.api, feed);
  const socket = connect(path, () => socket.write('{"id":7,"call":"watch"}\n'));
  undo.push(() => socket.destroy());
  let snapshot: EngineSnapshot | null = null;
  let rest = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const { id, update } = JSON.parse(line) as { id: number; update: Update<EngineSnapshot> };
      expect(id).toBe(7);
      snapshot = applyUpdate(snapshot, update);
    }
  });
  await vi.waitFor(() => expect(snapshot?.status.state).toBe('qualified'), 10_000);
  await client.api.changeBuiltIn({ change: 'nat', kind: 'symmetric' });
  await vi.waitFor(() => expect(snapshot?.builtIn?.nat).toBe('symmetric'), 10_000);
});
