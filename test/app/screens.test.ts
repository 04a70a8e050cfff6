// Every screen in the real app on the built-in network: no accessibility violation, each control reached by Tab with its focus seen, in both themes and languages.
import AxeBuilder from '@axe-core/playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCREENS } from '../../renderer/app/store.ts';
import { en, ja } from '../../renderer/words/index.ts';
import { openApp } from './kit/app.ts';
import type { App } from './kit/app.ts';

const LOOKS = [
  { theme: 'light', language: 'en' },
  { theme: 'dark', language: 'ja' },
] as const;

let app: App;
/** What the page's policy kept from it. */
const kept: string[] = [];
beforeAll(async () => {
  app = await openApp();
  app.page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) kept.push(message.text());
  });
});
afterAll(() => app.close());

async function violations(): Promise<string[]> {
  // Electron can't open the page in which axe would gather its results.
  const found = await new AxeBuilder({ page: app.page }).setLegacyMode(true).analyze();
  expect(found.passes.length).toBeGreaterThan(10);
  return found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
  );
}

/** Walks through the page by Tab. Gives the controls that it did not come to, and those whose focus can't be seen. */
async function walk(): Promise<{ missed: string[]; unseen: string[]; stops: number }> {
  const { page } = app;
  await page.evaluate(() => {
    document.querySelectorAll('[data-stop]').forEach((each) => each.removeAttribute('data-stop'));
    (document.activeElement as HTMLElement | null)?.blur();
  });
  const unseen: string[] = [];
  let stops = 0;
  for (; stops < 200; stops++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement as HTMLElement;
      if (element === document.body || element.dataset['stop'] !== undefined) return null;
      element.dataset['stop'] = '';
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const inside = box.bottom > 0 && box.top < innerHeight && box.width > 0;
      return {
        what: element.outerHTML.slice(0, 120),
        seen: inside && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
      };
    });
    if (!stop) break;
    if (!stop.seen) unseen.push(stop.what);
  }
  const missed = await page.evaluate(() =>
    [
      ...document.querySelectorAll<HTMLElement>(
        'a[href], button, input, select, textarea, [tabindex]',
      ),
    ]
      .filter(
        (each) =>
          each.tabIndex >= 0 &&
          // Such a group only hands the focus on to the choice that holds.
          each.getAttribute('role') !== 'radiogroup' &&
          !each.hasAttribute('disabled') &&
          each.dataset['stop'] === undefined &&
          // Of a group of radio buttons Tab comes to the chosen one.
          !(each instanceof HTMLInputElement && each.type === 'radio' && !each.checked),
      )
      .map((each) => each.outerHTML.slice(0, 120)),
  );
  return { missed, unseen, stops };
}

async function look({ theme, language }: (typeof LOOKS)[number]): Promise<void> {
  await app.call('setTheme', { theme });
  await app.call('setLanguage', { language });
  await app.page.waitForFunction(
    ([wantedTheme, wantedLanguage]) =>
      document.documentElement.dataset['theme'] === wantedTheme &&
      document.documentElement.lang === wantedLanguage,
    [theme, language] as const,
  );
}

describe('first run', () => {
  test('three screens, by the keyboard alone, end on the Status screen', async () => {
    const { page } = app;
    const next = async (name: string): Promise<void> => {
      expect(await violations()).toEqual([]);
      const { missed, unseen } = await walk();
      expect(missed).toEqual([]);
      expect(unseen).toEqual([]);
      await page.getByRole('button', { name }).focus();
      await page.keyboard.press('Enter');
    };
    await page.getByRole('heading', { name: en.firstRun.welcome }).waitFor();
    await next(en.common.next);
    await page.getByRole('heading', { name: en.firstRun.where }).waitFor();
    expect(await page.getByRole('radio', { name: en.firstRun.builtIn }).isChecked()).toBe(true);
    await next(en.common.next);
    await page.getByRole('heading', { name: en.firstRun.admitNone }).waitFor();
    await next(en.firstRun.finish);
    await page.getByRole('heading', { name: en.states.head.qualified }).waitFor();
  });
});

describe.each(LOOKS)('$theme, $language', (given) => {
  const words = given.language === 'ja' ? ja : en;
  beforeAll(async () => {
    await app.call('finishFirstRun', {});
    await look(given);
    await app.resize(900, 600);
    if (given !== LOOKS[1]) return;
    // These screens are empty in the one look and full in the other.
    for (let i = 1; i <= 12; i++)
      await app.call('setPc', { name: `PC ${i}`, target: `2001:db8::${i}` });
    await app.call('addServer', { name: 'teredo.example.org' });
    // With findings that are good, bad and unknown.
    await app.call('checkOwn', { server: 'teredo-1.example', secondary: '192.0.2.9' });
  });

  test.each(SCREENS)('%s', async (screen) => {
    const { page } = app;
    // As it is when it is opened, whatever was opened in it before.
    await page.locator('[data-screen="status"]').click();
    await page.getByRole('button', { name: words.common.screens[screen] }).first().click();
    await page.locator('#main h1').waitFor();
    await judge();
    if (screen !== 'settings') return;
    await page.getByRole('radio', { name: words.settings.areas.tunnel }).click();
    for (const button of [words.single.secret.change, words.addressChange.set])
      await page.getByRole('button', { name: button }).click();
    await judge();
  });

  /** The screen as it is: nothing that a reader or a keyboard stumbles over, nothing that is cut. */
  async function judge(): Promise<void> {
    const { page } = app;
    expect(await violations()).toEqual([]);
    const { missed, unseen, stops } = await walk();
    expect(missed).toEqual([]);
    expect(unseen).toEqual([]);
    expect(stops).toBeGreaterThan(SCREENS.length);
    const wide = await page.evaluate(() =>
      [document.documentElement, ...document.querySelectorAll('main, .table, .card')].some(
        (each) => each.scrollWidth > each.clientWidth,
      ),
    );
    expect(wide, 'nothing sticks out').toBe(false);
    // Who steers by voice says what is written there.
    const otherwise = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('button[aria-label], a[aria-label]')]
        .map((each) => ({ written: each.innerText.trim(), name: each.ariaLabel! }))
        .filter(({ written, name }) => !name.toLowerCase().includes(written.toLowerCase())),
    );
    expect(otherwise, 'each name has what is written').toEqual([]);
  }
});

test('no screen, menu or list needs more than the page’s policy gives, and text is no style', async () => {
  const { page } = app;
  await look(LOOKS[0]);
  await page.getByRole('button', { name: en.common.screens.status }).click();
  await page.getByRole('button', { name: en.status.pause }).click();
  await page.getByRole('menuitem').first().waitFor();
  await page.keyboard.press('Escape');
  expect(kept).toEqual([]);
  const hidden = await page.evaluate(() => {
    const sheet = document.createElement('style');
    sheet.textContent = '#main { display: none }';
    document.head.append(sheet);
    const { display } = getComputedStyle(document.querySelector('#main')!);
    sheet.remove();
    return display;
  });
  expect(hidden).not.toBe('none');
  expect(kept).toHaveLength(1);
});

test('in the smallest window the tables cut nothing that a person must read', async () => {
  const { page } = app;
  await app.resize(900, 600);
  await app.call('ping', { address: '2001:db8::80', timeoutMs: 10_000 });
  /** Addresses keep both of their ends. */
  const cut = (): Promise<string[]> =>
    page.evaluate(() =>
      [...document.querySelectorAll('.table [role=gridcell]:not(.mono), .table-below .cut')]
        .filter((each) => each.scrollWidth > each.clientWidth + 1)
        .map((each) => each.textContent),
    );
  for (const [looks, words] of [
    [LOOKS[0], en],
    [LOOKS[1], ja],
  ] as const) {
    await look(looks);
    for (const screen of ['peers', 'activity'] as const) {
      await page.locator(`[data-screen="${screen}"]`).click();
      await page.locator('.table-space .table-row').first().waitFor();
      expect(await cut(), screen).toEqual([]);
    }
    // A line of the log may be longer than the window: it is shown whole when it is chosen.
    await page.getByRole('radio', { name: words.activity.log }).click();
    const line = page.locator('.table-space .table-row').first();
    const text = await line.locator('.table-below').innerText();
    await line.click();
    const whole = page.locator('.detail').getByText(text, { exact: true });
    await whole.waitFor();
    expect(await whole.evaluate((each) => each.scrollWidth <= each.clientWidth)).toBe(true);
  }
  await look(LOOKS[0]);
});

test('each part of the address says what it is, by the pointer and by the keyboard', async () => {
  const { page } = app;
  await look(LOOKS[0]);
  await page.getByRole('button', { name: en.common.screens.status }).click();
  const server = page.locator('.part-server');
  await server.hover();
  await page.getByText('Server 192.0.2.1', { exact: true }).first().waitFor();
  await page.mouse.move(0, 0);
  await server.focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.getByText(en.status.partText.port).first().waitFor();
});

test('motion is short, and there is none for whoever asks for none', async () => {
  const { page } = app;
  /** Milliseconds of the longest motion that anything in the window could make. */
  const longest = (): Promise<number> =>
    page.evaluate(() =>
      Math.max(
        ...[...document.querySelectorAll('*')].flatMap((each) => {
          const { transitionDuration, animationDuration } = getComputedStyle(each);
          return `${transitionDuration}, ${animationDuration}`
            .split(', ')
            .map((time) => parseFloat(time) * (time.endsWith('ms') ? 1 : 1000));
        }),
      ),
    );
  for (const screen of SCREENS) {
    await page.locator(`[data-screen="${screen}"]`).click();
    const usual = await longest();
    expect(usual).toBeGreaterThan(0);
    expect(usual).toBeLessThanOrEqual(150);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await longest()).toBe(0);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
  }
});
