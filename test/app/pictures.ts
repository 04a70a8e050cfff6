// Takes every screen of the app on the built-in network, in both themes and two sizes, some in Japanese, into a folder: `npm run screenshots`.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { en, ja } from '../../renderer/words/index.ts';
import { openApp } from './kit/app.ts';
import type { App } from './kit/app.ts';
import { fillWindow, holdWindow, showStarting } from './kit/rows.ts';

const FONTS = fileURLToPath(new URL('./kit/fonts.conf', import.meta.url));
const SIZES = [
  { width: 900, height: 600 },
  { width: 1600, height: 1000 },
] as const;
const THEMES = ['light', 'dark'] as const;
/** Time for what an update brings to be drawn, ms. */
const DRAWN_MS = 400;
/** Traffic to be seen in the graph, ms. */
const TRAFFIC_MS = 12_000;

type Screen = keyof typeof en.common.screens;

/** Takes the pictures of one app into `folder`. */
class Camera {
  private readonly app: App;
  private readonly folder: string;

  constructor(app: App, folder: string) {
    this.app = app;
    this.folder = folder;
  }

  /** Opens a screen, whatever the language. */
  async open(screen: Screen): Promise<void> {
    await this.app.page.locator(`[data-screen="${screen}"]`).click();
    await this.app.page.mouse.move(0, 0);
  }

  /** `name-900.png` in the look of the moment. */
  async take(name: string, width: number): Promise<void> {
    await wait(DRAWN_MS);
    await this.app.page.screenshot({ path: join(this.folder, `${name}-${width}.png`) });
  }

  /** Both sizes, in the theme of the moment. */
  async takeBoth(name: string): Promise<void> {
    for (const { width, height } of SIZES) {
      await this.app.resize(width, height);
      await this.take(name, width);
    }
  }

  /** Both themes in both sizes. */
  async takeAll(name: string): Promise<void> {
    for (const { width, height } of SIZES) {
      await this.app.resize(width, height);
      for (const theme of THEMES) {
        await this.app.call('setTheme', { theme });
        await this.take(theme === 'dark' ? `${name}-dark` : name, width);
      }
    }
    await this.app.call('setTheme', { theme: 'light' });
  }
}

/** What a newcomer sees first; gives the app back on its Status screen. */
async function firstRun(app: App, camera: Camera): Promise<void> {
  const { page } = app;
  await page.getByRole('heading', { name: en.firstRun.welcome }).waitFor();
  await camera.takeAll('first-run-1');
  await app.resize(900, 600);
  await page.getByRole('button', { name: en.common.next }).click();
  await camera.takeAll('first-run-2');
  await page.getByRole('button', { name: en.common.next }).click();
  await page.getByText(en.doctor.verdict.works).first().waitFor({ timeout: 20_000 });
  await camera.takeAll('first-run-3');
  await page.getByRole('button', { name: en.firstRun.finish }).click();
}

/** Everything that happens on a good day. */
async function goodDay(app: App, camera: Camera): Promise<void> {
  const { page } = app;
  await page.getByRole('heading', { name: en.states.head.qualified }).waitFor();
  await app.call('ping', { address: '2001:db8::80', timeoutMs: 10_000 });
  for (const { address } of (await app.call('builtIn', {})).hosts)
    if (address !== null) await app.call('ping', { address, timeoutMs: 3_000 });
  await wait(TRAFFIC_MS);
  await camera.takeAll('status');
  await app.resize(900, 600);
  await page.locator('.part-server').hover();
  await camera.take('status-address', 900);
  for (const screen of ['applications', 'peers', 'activity', 'builtIn', 'settings'] as const) {
    await camera.open(screen);
    await camera.takeAll(screen === 'builtIn' ? 'built-in' : screen);
  }
  await camera.open('settings');
  await page.getByRole('radio', { name: en.settings.areas.tunnel }).click();
  await camera.takeAll('settings-tunnel');
  await camera.open('servers');
  await app.call('addServer', { name: 'teredo.example.org' });
  await app.call('servers', { probe: true });
  await camera.takeAll('servers');
  await app.call('checkOwn', { server: 'teredo-1.example', relay: '192.0.2.67' });
  await showOwn(app, en.servers.own.title);
  await camera.takeAll('own');
  await camera.open('knownPcs');
  await app.resize(900, 600);
  await camera.take('known-pcs-empty', 900);
  await fillPcs(app);
  await camera.takeAll('known-pcs');
  await camera.open('doctor');
  await app.call('doctor', {});
  await camera.takeAll('doctor');
  await camera.open('applications');
  await page.getByRole('button', { name: en.applications.allow }).click();
  await app.resize(900, 600);
  await camera.take('applications-allow', 900);
}

/** Brings the look at one's own server, which has that `title`, to the top of the window. */
async function showOwn({ page }: App, title: string): Promise<void> {
  await page
    .getByRole('region', { name: title })
    .evaluate((card) => card.scrollIntoView({ block: 'start' }));
}

/** One other home that answers, one that does not, and one that was never tested. */
async function fillPcs(app: App): Promise<void> {
  const { hosts } = await app.call('builtIn', {});
  const of = (name: string): string => hosts.find((host) => host.name === name)!.address!;
  for (const [name, target] of [
    ['Ana’s PC', of('Ana')],
    ['Summer house', 'house.example.net'],
    ['Ben’s PC', of('Ben')],
  ] as const)
    await app.call('setPc', { name, target });
  for (const name of ['Ana’s PC', 'Summer house']) await app.call('testPc', { name });
}

/** A network that lets no UDP out, and what the doctor says of it. */
async function badDay(app: App, camera: Camera): Promise<void> {
  await app.call('changeBuiltIn', { change: 'fault', name: 'udp' });
  await app.call('changeBuiltIn', { change: 'speed', speed: 10 });
  await app.call('changeBuiltIn', { change: 'nat', kind: 'symmetric' });
  await camera.open('status');
  await app.page.getByText(en.states.reason['no-answer']).waitFor({ timeout: 60_000 });
  await camera.takeAll('status-blocked');
  await camera.open('doctor');
  await app.call('doctor', {});
  await camera.takeAll('doctor-blocked');
  await app.call('changeBuiltIn', { change: 'reset' });
}

/** Nobody needs the tunnel. */
async function asleep(app: App, camera: Camera): Promise<void> {
  for (const { name, running } of (await app.call('builtIn', {})).programs)
    if (running) await app.call('changeBuiltIn', { change: 'program', name, running: false });
  await app.call('changeBuiltIn', { change: 'speed', speed: 10 });
  await camera.open('status');
  await app.page
    .getByRole('heading', { name: en.states.head.dormant })
    .waitFor({ timeout: 60_000 });
  await app.call('changeBuiltIn', { change: 'speed', speed: 1 });
  await camera.takeAll('dormant');
}

/** What lasts too short, and what is too many, for the built-in network: the window is told it by itself. */
async function told(app: App, camera: Camera): Promise<void> {
  await camera.open('status');
  await holdWindow(app);
  await showStarting(app);
  await camera.takeBoth('starting');
  await fillWindow(app, 10_000);
  for (const screen of ['peers', 'activity'] as const) {
    await camera.open(screen);
    await camera.takeBoth(`${screen}-many`);
  }
}

async function japanese(app: App, camera: Camera): Promise<void> {
  await app.call('setLanguage', { language: 'ja' });
  for (const screen of [
    'status',
    'applications',
    'servers',
    'knownPcs',
    'settings',
    'doctor',
  ] as const) {
    await camera.open(screen);
    await app.resize(900, 600);
    await camera.take(`${screen === 'knownPcs' ? 'known-pcs' : screen}-ja`, 900);
  }
  await camera.open('servers');
  await showOwn(app, ja.servers.own.title);
  await camera.take('own-ja', 900);
  await camera.open('settings');
  await app.page.getByRole('radio', { name: ja.settings.areas.tunnel }).click();
  await camera.take('settings-tunnel-ja', 900);
  await camera.open('activity');
  await app.page.getByRole('radio', { name: ja.activity.log }).click();
  await camera.take('activity-ja', 900);
}

/** 256 colours are enough for a window, and a third of the bytes. */
function shrink(folder: string): void {
  spawnSync('sh', ['-c', `pngquant --force --ext .png --strip --skip-if-larger ${folder}/*.png`], {
    stdio: 'inherit',
  });
}

const folder = process.argv[2];
if (folder === undefined) throw new Error('Name the folder for the pictures.');
mkdirSync(folder, { recursive: true });
const app = await openApp({ FONTCONFIG_FILE: FONTS });
try {
  const camera = new Camera(app, folder);
  await firstRun(app, camera);
  await goodDay(app, camera);
  await badDay(app, camera);
  await asleep(app, camera);
  await japanese(app, camera);
  await app.call('setLanguage', { language: 'en' });
  await told(app, camera);
} finally {
  await app.close();
}
shrink(folder);
