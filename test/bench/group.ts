// Module bench/group names what a part of the bench is: rows that are measured in turns for each of its columns.
import type { Lab } from '../lab/kit/lab.ts';

/** What is measured; `better` says which way is good. */
export interface Row {
  readonly key: string;
  readonly label: string;
  readonly better: 'higher' | 'lower';
  /** Ours divided by the second column's that is aimed at. */
  readonly aim?: number;
}

/** One round of one column: values by the rows' keys; what could not be measured is left out. */
export type Sample = Partial<Record<string, number>>;

export interface Pace {
  readonly rounds: number;
  /** Under two minutes in all: shorter runs, and what takes long is left out. */
  readonly quick: boolean;
}

/** A part of the bench. */
export interface Group {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** Ours, Miredo's, then references. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** Samples of each column. Programs that still run afterwards are ended. */
  readonly measure: (lab: Lab, pace: Pace) => Promise<readonly (readonly Sample[])[]>;
}

export interface Measured {
  readonly group: Group;
  readonly samples: readonly (readonly Sample[])[];
}

/** Runs `columns` in turns, so that whatever else the machine does meets all of them alike. */
export async function inTurns(
  columns: readonly {
    readonly name: string;
    readonly sample: (round: number) => Promise<Sample>;
  }[],
  rounds: number,
): Promise<Sample[][]> {
  const samples: Sample[][] = columns.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [index, { name, sample }] of columns.entries()) {
      process.stderr.write(`round ${round + 1} of ${rounds}: ${name}\n`);
      samples[index]!.push(await sample(round));
    }
  return samples;
}
