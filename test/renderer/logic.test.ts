// What the screens compute by themselves: formats, order of rows, the address taken apart, the way out, rules as calls.
import { describe, expect, test } from 'vitest';
import { takeApart } from '../../renderer/app/address.ts';
import { formatAgo, formatBytes, formatMs, formatRate } from '../../renderer/app/format.ts';
import { Order } from '../../renderer/app/order.ts';
import { wayOf } from '../../renderer/app/path.ts';
import { joinWords, splitWords, textOf, valueOf } from '../../renderer/app/setting-value.ts';
import { portsOf, setAppOf } from '../../renderer/app/rules.ts';
import { emptySnapshot } from '../../engine/service/slices.ts';
import type { PeerRow, StatusSlice } from '../../engine/service/slices.ts';

describe('formats', () => {
  test('bytes keep three figures and change the unit before they need a fourth', () => {
    expect(
      [0, 999, 1_000, 9_949, 9_951, 999_499, 999_500, 1.5e9].map((n) => formatBytes(n, 'en')),
    ).toEqual(['0 B', '999 B', '1.0 kB', '9.9 kB', '10 kB', '999 kB', '1.0 MB', '1.5 GB']);
    expect(formatRate(1_400, 'en')).toBe('1.4 kB/s');
  });

  test('round trips and ages', () => {
    expect([0.44, 9.94, 9.96, 40.4].map((ms) => formatMs(ms, 'en'))).toEqual([
      '0.4 ms',
      '9.9 ms',
      '10 ms',
      '40 ms',
    ]);
    expect([400, 59_999, 60_000, 7_300_000].map((ms) => formatAgo(ms, 'en'))).toEqual([
      'now',
      '59 sec. ago',
      '1 min. ago',
      '2 hr. ago',
    ]);
    expect(formatAgo(3_000, 'ja')).toContain('3');
  });
});

describe('the address taken apart', () => {
  test('the example of RFC 4380 §2.8: server 65.54.227.120, port 40000, client 192.0.2.45', () => {
    expect(takeApart('2001:0000:4136:e378:8000:63bf:3fff:fdd2')).toEqual([
      { name: 'prefix', text: '2001:0000:', says: '2001::/32' },
      { name: 'server', text: '4136:e378:', says: '65.54.227.120' },
      { name: 'flags', text: '8000:', says: '0x8000' },
      { name: 'port', text: '63bf:', says: '40000' },
      { name: 'client', text: '3fff:fdd2', says: '192.0.2.45' },
    ]);
  });

  test('nothing of an address that is none of Teredo', () => {
    expect(takeApart('2001:db8::80')).toBeNull();
    expect(takeApart('nonsense')).toBeNull();
  });
});

describe('order of rows', () => {
  interface Row {
    readonly key: string;
    readonly value: number;
  }
  const all = (): boolean => true;
  const up = (a: Row, b: Row): number => a.value - b.value;
  const rows = (...values: number[]): Row[] =>
    values.map((value, i) => ({ key: String(i), value }));
  const keys = (list: readonly Row[]): string => list.map(({ key }) => key).join('');

  test('a row whose value changes keeps its place until the rest is over', () => {
    const order = new Order<Row>(({ key }) => key, 1_000);
    const question = { keep: all, compare: up };
    expect(keys(order.take(rows(3, 1, 2), question, 0))).toBe('120');
    const changed = order.take(rows(0, 1, 2), question, 500);
    expect(keys(changed)).toBe('120');
    expect(changed[2]).toEqual({ key: '0', value: 0 });
    expect(keys(order.take(rows(0, 1, 2).slice(), question, 1_000))).toBe('012');
  });

  test('rows that come, go or are asked for otherwise are sorted at once', () => {
    const order = new Order<Row>(({ key }) => key, 1_000);
    const question = { keep: all, compare: up };
    order.take(rows(3, 1, 2), question, 0);
    expect(keys(order.take(rows(3, 1, 2, 0), question, 1))).toBe('3120');
    expect(keys(order.take(rows(3, 1), question, 2))).toBe('10');
    expect(keys(order.take(rows(3, 1), { keep: all, compare: (a, b) => up(b, a) }, 3))).toBe('01');
    const big = { keep: ({ value }: Row): boolean => value > 1, compare: up };
    expect(keys(order.take(rows(3, 1), big, 4))).toBe('0');
  });

  test('the same question about the same rows costs nothing', () => {
    const order = new Order<Row>(({ key }) => key, 1_000);
    const question = { keep: all, compare: up };
    const given = rows(2, 1);
    expect(order.take(given, question, 0)).toBe(order.take(given, question, 5_000));
  });
});

describe('the way out', () => {
  const base = emptySnapshot({ code: 'qualified', text: '' }, []).status;
  const qualified: StatusSlice = { ...base, state: 'qualified', serverRttMs: 40 };
  const peer = (more: Partial<PeerRow>): PeerRow => ({
    address: '2001:db8::80',
    kind: 'native',
    endpoint: null,
    path: 'relay',
    trusted: true,
    rttMs: 80,
    bytesIn: 0,
    bytesOut: 0,
    lastHeardAt: null,
    ...more,
  });
  const words = (status: StatusSlice, peers: PeerRow[] = []): string[] =>
    wayOf(status, peers).links.map(({ word }) => word);
  const because = (code: string, state: StatusSlice['state']): StatusSlice => ({
    ...base,
    state,
    reason: { code, text: '' },
  });

  test('what was measured is shown; what was not tried is not called good', () => {
    expect(words(qualified)).toEqual(['good', 'good', 'unknown']);
    const way = wayOf(qualified, [peer({}), peer({ rttMs: 60 })]);
    expect(way.links.map(({ ms }) => ms)).toEqual([null, 40, 60]);
    expect(words(qualified, [peer({ path: null })])).toEqual(['good', 'good', 'unknown']);
  });

  test('each failure is at its link', () => {
    expect(words(because('starting', 'qualifying'))).toEqual(['good', 'work', 'unknown']);
    expect(words(because('no-answer', 'qualifying'))).toEqual(['good', 'bad', 'unknown']);
    expect(words(because('server-silent', 'qualified'))).toEqual(['good', 'bad', 'unknown']);
    expect(words(because('no-network', 'qualifying'))).toEqual(['cut', 'unknown', 'unknown']);
    expect(words(because('nothing-running', 'dormant'))).toEqual(['idle', 'idle', 'idle']);
    expect(words(because('paused', 'off'))).toEqual(['off', 'off', 'off']);
  });

  test('peers that are reached past the server are counted, with the fastest', () => {
    const teredo = (rttMs: number | null): PeerRow =>
      peer({ kind: 'teredo', path: 'bubbles', rttMs });
    const { direct } = wayOf(qualified, [peer({}), teredo(44), teredo(41), teredo(null)]);
    expect(direct).toEqual({ count: 3, bestMs: 41 });
  });
});

describe('rules as calls', () => {
  const row = {
    id: '1',
    name: 'fetch.py',
    path: '/usr/bin/python3',
    script: '/home/u/fetch.py',
    group: null,
    user: 1000,
    pinned: false,
    connectOut: true,
    beReached: 'none',
    never: false,
    until: 'forever',
    from: 'user',
    source: null,
  } as const;

  test('a script is named by itself, and a time that is left is kept', () => {
    expect(setAppOf(row, row)).toEqual({
      path: '/home/u/fetch.py',
      user: 1000,
      connectOut: true,
      beReached: 'none',
      never: false,
    });
    const limited = { ...row, until: new Date(90_000).toISOString() };
    expect(setAppOf(limited, limited, 30_000)).toMatchObject({ forSeconds: 60 });
    expect(setAppOf({ ...row, until: 'quit' }, row)).toMatchObject({ untilQuit: true });
    const group = { kind: 'flatpak', id: 'org.example.App' } as const;
    expect(setAppOf({ ...row, group }, row)).toMatchObject({ group });
    expect(setAppOf({ ...row, path: null, script: null }, row)).toBeNull();
  });

  test('ports', () => {
    expect(portsOf('')).toBe('all');
    expect(portsOf(' 80, 443 80')).toEqual([80, 443]);
    expect(portsOf('80、443')).toEqual([80, 443]);
    for (const wrong of ['0', '65536', 'http', '1.5', '-1']) expect(portsOf(wrong)).toBeNull();
  });
});

describe('settings as they are typed', () => {
  test('words with blanks, quotes and backslashes come back as they were', () => {
    const words = ['/bin/tell me', 'plain', 'a "b" \\ c', '', '\\n', 'ä、ö'];
    expect(splitWords(joinWords(words))).toEqual(words);
    expect(joinWords(['/usr/bin/curl', '-d', 'a b'])).toBe('/usr/bin/curl -d "a b"');
    expect(splitWords('  one   "two three" four"five ')).toEqual([
      'one',
      'two three',
      'four',
      'five ',
    ]);
  });

  test('nothing is no value; what is no number is left to be refused', () => {
    expect(valueOf({ kind: 'text' }, '  ')).toBeNull();
    expect(valueOf({ kind: 'number' }, ' 4000 ')).toBe(4000);
    expect(valueOf({ kind: 'number' }, 'many')).toBe('many');
    expect(valueOf({ kind: 'list' }, 'a.example b.example')).toEqual(['a.example', 'b.example']);
    expect(textOf({ kind: 'list', value: ['a', 'b c'] })).toBe('a "b c"');
    expect(textOf({ kind: 'number', value: 30 })).toBe('30');
    expect(textOf({ kind: 'text', value: null })).toBe('');
  });
});
