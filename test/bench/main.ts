// Bench: Shipworm and Miredo in one lab and one run, alternating; prints medians side by side and their ratio.
import { parseArgs } from 'node:util';
import { Lab, noLab } from '../lab/kit/lab.ts';
import { clients } from './clients.ts';
import { distant } from './distant.ts';
import type { Group, Measured } from './group.ts';
import { writeDocument, writeProfile } from './document.ts';
import { idle } from './idle.ts';
import { overload } from './overload.ts';
import { profile } from './profile.ts';
import { textTable } from './report.ts';
import { servers } from './server.ts';
import { tunnels } from './tunnels.ts';

const GROUPS: readonly Group[] = [tunnels, clients, distant, servers, overload, idle];

/** The groups that `--only` names, or all. Throws for a name that is none. */
function chosen(only: string | undefined): readonly Group[] {
  if (only === undefined) return GROUPS;
  return only.split(',').map((name) => {
    const group = GROUPS.find((each) => each.name === name);
    if (group) return group;
    const names = GROUPS.map((each) => each.name).join(', ');
    throw new Error(`There is no part "${name}" of the bench; there are ${names}.`);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      document: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
    },
  });
  const why = noLab();
  if (why) throw new Error(`The bench can't run: ${why}.`);
  const groups = chosen(values.only);
  const rounds = values.rounds === undefined ? (values.quick ? 1 : 5) : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error('--rounds is a whole number from 1 on.');
  const pace = { rounds, quick: values.quick };
  const lab = new Lab();
  const all: Measured[] = [];
  try {
    if (values.profile) {
      const table = await profile(lab);
      process.stdout.write(`${table}\n`);
      if (values.document) writeProfile(table);
      return;
    }
    for (const group of groups) {
      process.stderr.write(`${group.title}\n`);
      const samples = await group.measure(lab, pace);
      await lab.stopPrograms();
      // What a quick run leaves out.
      if (samples.length === 0) continue;
      all.push({ group, samples });
      process.stdout.write(`${textTable({ group, samples })}\n\n`);
      if (values.document) writeDocument(all, pace.rounds);
    }
    process.stdout.write(
      `Median (least-most) of ${pace.rounds} rounds; ratio is ours divided by Miredo's, in one run on one machine.\n`,
    );
  } finally {
    await lab.close();
  }
}

await main();
