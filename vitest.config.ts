// Vitest projects: unit and simulation tests run side by side, lab tests two files at once, each in namespaces of its own; some of these and the app's tests have the machine to themselves; long ones run by a command of their own.
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** They fill a core, or compare the order of packets: nothing runs beside them. */
const ALONE = ['attacks-floods', 'calibrate', 'relay'].map((name) => `test/lab/${name}.test.ts`);
/** A sanitized build takes this many times as long. */
const slow = Number(process.env['SHIPWORM_TEST_SLOW'] ?? 1);
/** Some wait for a moment of the real clock, so one more than there are cores runs at once; a worker loads the engine once, for all of its files. */
const quick = {
  environment: 'node',
  maxWorkers: availableParallelism() + 1,
  isolate: false,
} as const;
/** Real programs on a real clock: a machine that was busy elsewhere gets a second chance, which the reporter names. */
const lab = {
  environment: 'node',
  testTimeout: 90_000 * slow,
  hookTimeout: 120_000 * slow,
  retry: 1,
} as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...quick,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...quick,
          name: 'renderer',
          include: ['test/renderer/**/*.test.{ts,tsx}'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...quick,
          name: 'sim',
          include: ['test/sim/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...quick,
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
      {
        test: {
          ...lab,
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...lab,
          name: 'lab-alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'app',
          include: ['test/app/**/*.test.ts'],
          environment: 'node',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          retry: 1,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          environment: 'node',
          testTimeout: 1_800_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
