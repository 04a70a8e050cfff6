// Module random/crowd-report adds up what became of a crowd's packets, row by row of the list of attacks, and prints it.
import { countIn, newAccount } from './hostiles.ts';
import type { Account } from './hostiles.ts';
import { ROWS } from './rows.ts';
import type { Attack, Scenario } from './scenario.ts';

export type Accounts = ReadonlyMap<Attack, Account>;

/** What became of what was sent for one row; `times` is how often its state of the network was there. */
export interface RowSum extends Account {
  times: number;
}

/** Sums by row; an attack that is part of several rows counts in each. */
export class CrowdReport {
  readonly rows = new Map<string, RowSum>(
    Object.keys(ROWS).map((id) => [id, { ...newAccount(), times: 0 }]),
  );

  /** Adds what a network of `scenario` told. */
  add(scenario: Scenario, accounts: Accounts): void {
    for (const [id, { attacks, faults }] of Object.entries(ROWS)) {
      const sum = this.rows.get(id)!;
      sum.times += scenario.steps.filter(
        (step) => step.kind === 'fault' && faults.includes(step.fault),
      ).length;
      for (const attack of attacks) {
        const account = accounts.get(attack);
        if (account) addUp(sum, account);
      }
    }
  }

  /** Adds the rows of another report. */
  merge(rows: ReadonlyMap<string, RowSum>): void {
    for (const [id, row] of rows) {
      const sum = this.rows.get(id)!;
      sum.times += row.times;
      addUp(sum, row);
    }
  }

  /** One line for each row. */
  lines(): string[] {
    return [...this.rows].map(([id, sum]) => `${id}: ${describe(id, sum)}`);
  }
}

function addUp(sum: Account, more: Account): void {
  sum.sent += more.sent;
  sum.answered += more.answered;
  sum.taken += more.taken;
  for (const [name, count] of more.lost) countIn(sum.lost, name, count);
  for (const [name, count] of more.refused) countIn(sum.refused, name, count);
}

function describe(id: string, sum: RowSum): string {
  const { attacks, faults, unsent } = ROWS[id]!;
  if (unsent !== undefined) return unsent;
  if (attacks.length === 0) return `${faults.join(', ')} ${sum.times} times, and all healed`;
  const { sent, lost, refused, answered, taken } = sum;
  return (
    `${sent} sent; refused: ${list(refused)}; answered within the rules ${answered}, ` +
    `otherwise taken ${taken}; on the way lost: ${list(lost)}`
  );
}

function list(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.length === 0 ? 'none' : sorted.map(([name, n]) => `${name} ${n}`).join(', ');
}
