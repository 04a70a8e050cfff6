// The policy of notifications: once a day for each subject, over starts too; none when switched off, seen anyway, or over a full-screen program.
import { beforeEach, expect, test } from 'vitest';
import { Notifier } from '../../electron/notifier.ts';
import type { Notice, NotifierParts } from '../../electron/notifier.ts';

const HOUR_MS = 3_600_000;
const about = (subject: string): Notice => ({ subject, title: '', body: '', buttons: [] });

let now: number;
let shown: string[];
let kept: Readonly<Record<string, number>>;
beforeEach(() => {
  now = 1_800_000_000_000;
  shown = [];
  kept = {};
});
const notifier = (more: Partial<NotifierParts> = {}): Notifier =>
  new Notifier({
    now: () => now,
    enabled: () => true,
    windowInFront: () => false,
    fullScreen: () => Promise.resolve(false),
    show: ({ subject }) => void shown.push(subject),
    told: kept,
    keep: (told) => (kept = told),
    ...more,
  });

test('once a day about each application, whatever becomes of it meanwhile', async () => {
  const one = notifier();
  expect(await one.offer(about('photos'))).toBe(true);
  expect(await one.offer(about('photos'))).toBe(false);
  expect(await one.offer(about('chess'))).toBe(true);
  now += 24 * HOUR_MS - 1;
  expect(await one.offer(about('photos'))).toBe(false);
  now += 1;
  expect(await one.offer(about('photos'))).toBe(true);
  expect(shown).toEqual(['photos', 'chess', 'photos']);
});

test('an app that ended and started again tells nothing twice in a day, and keeps nothing for longer', async () => {
  await notifier().offer(about('photos'));
  now += 23 * HOUR_MS;
  expect(await notifier().offer(about('photos'))).toBe(false);
  await notifier().offer(about('chess'));
  expect(Object.keys(kept)).toEqual(['photos', 'chess']);
  now += HOUR_MS;
  await notifier().offer(about('files'));
  expect(Object.keys(kept)).toEqual(['chess', 'files']);
});

test('a clock that was set back holds nothing up', async () => {
  await notifier().offer(about('photos'));
  now -= 48 * HOUR_MS;
  expect(await notifier().offer(about('photos'))).toBe(true);
});

test('two at the same moment are one', async () => {
  const one = notifier();
  const said = await Promise.all([one.offer(about('photos')), one.offer(about('photos'))]);
  expect(said).toEqual([true, false]);
});

test.each<[string, Partial<NotifierParts>]>([
  ['they are switched off', { enabled: () => false }],
  ['the window is in front', { windowInFront: () => true }],
  ['a program fills the screen', { fullScreen: () => Promise.resolve(true) }],
])('none while %s, and then it is not counted as told', async (_, more) => {
  expect(await notifier(more).offer(about('photos'))).toBe(false);
  expect(kept).toEqual({});
  expect(await notifier().offer(about('photos'))).toBe(true);
});

test('a window that comes to the front while the screen is looked at is enough', async () => {
  let inFront = false;
  const fullScreen = (): Promise<boolean> => {
    inFront = true;
    return Promise.resolve(false);
  };
  expect(await notifier({ windowInFront: () => inFront, fullScreen }).offer(about('photos'))).toBe(
    false,
  );
});
