// The watch on the policy folder: it tells of files that are written, come and go, and of the folder that is made only later.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchPolicy } from '../../../engine/service/policy-watch.ts';

const SOON_MS = 5_000;
const QUIET_MS = 600;

let folder: string;
let directory: string;
let told = 0;
let stop: () => void;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shipworm-policy-watch-'));
  directory = join(folder, 'shipworm', 'policy.d');
  told = 0;
  stop = watchPolicy(() => told++, directory);
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true });
});

async function tells(change: () => void): Promise<void> {
  const before = told;
  change();
  for (const end = Date.now() + SOON_MS; told === before && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(told).toBeGreaterThan(before);
}

it('tells of a folder that is made only later, and of what happens in it', async () => {
  const path = join(directory, '10.json');
  await tells(() => mkdirSync(directory, { recursive: true }));
  await tells(() => writeFileSync(path, '{}'));
  await tells(() => renameSync(path, join(directory, '20.json')));
  await tells(() => rmSync(join(folder, 'shipworm'), { recursive: true }));
  await tells(() => mkdirSync(directory, { recursive: true }));
  await tells(() => writeFileSync(path, '{}'));
});

it('does not tell of neighbours, nor after it ended', async () => {
  writeFileSync(join(folder, 'resolv.conf'), '');
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  expect(told).toBe(0);
  stop();
  mkdirSync(directory, { recursive: true });
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  expect(told).toBe(0);
});
