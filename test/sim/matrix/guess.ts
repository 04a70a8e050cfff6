// Measures how often guessing ports finds a way between two NATs, and what it costs: guess [NETWORKS]; makes guessed.json.
import { writeFileSync } from 'node:fs';
import { endNamed } from './tables.ts';
import { tryPair } from './try.ts';

const seeds = Number(process.argv[2] ?? 100);
const DEFAULT = [64, 1_024] as const;
const WANTED: readonly (readonly [string, string, readonly [number, number]])[] = [
  ['IPk', 'PPr', [16, 256]],
  ['IPk', 'PPr', [32, 512]],
  ['IPk', 'PPr', DEFAULT],
  ['PPr', 'IPk', DEFAULT],
  ['IPk', 'AAr', DEFAULT],
  ['IPk', 'PPr', [128, 1_024]],
  ['AAr', 'AAr', DEFAULT],
  ['AAr', 'PPr', DEFAULT],
  ['PPs', 'PPr', DEFAULT],
  ['PPk', 'PPr', DEFAULT],
  ['PPr', 'PPr', DEFAULT],
];
const rows = WANTED.map(([from, to, [probePorts, probeGuesses]]) => {
  const settings = { birthdayProbing: true, limits: { probePorts, probeGuesses } };
  const times: number[] = [];
  let sent = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const result = tryPair(endNamed(from, settings), endNamed(to, settings), seed);
    sent += result.sent;
    if (result.works && result.back) times.push(result.ms);
  }
  times.sort((a, b) => a - b);
  const medianMs = times[times.length >> 1] ?? null;
  const row = { from, to, ports: probePorts, guesses: probeGuesses };
  const found = { ...row, works: times.length, medianMs, sent: Math.round(sent / seeds) };
  process.stdout.write(`${JSON.stringify(found)}\n`);
  return found;
});
writeFileSync(
  new URL('guessed.json', import.meta.url),
  `${JSON.stringify({ seeds, rows }, null, 2)}\n`,
);
