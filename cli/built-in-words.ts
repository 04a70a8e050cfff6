// Module cli/built-in-words understands the commands that change the built-in network, and shows it.
import type { Api } from '../engine/service/api.ts';
import type { BuiltInChange, BuiltInState } from '../engine/service/builtin/calls.ts';
import { builtInCalls } from '../engine/service/builtin/calls.ts';
import { EXIT, Exit, table } from './output.ts';

export const BUILT_IN_HELP = `Words:
  nat KIND          be behind another kind of router
  fault NAME        let something fail
  heal [NAME]       mend that fault, or all
  start PROGRAM     a program comes (stop PROGRAM: it goes)
  allow PROGRAM     let it use the tunnel (forbid PROGRAM: no more)
  speed N           let time pass N times as fast
  reset             as it was at the start`;

type Make = (word: string | undefined) => object;
const COMMANDS: Readonly<Record<string, Make>> = {
  nat: (kind) => ({ change: 'nat', kind }),
  fault: (name) => ({ change: 'fault', name }),
  heal: (name) => ({ change: 'heal', ...(name !== undefined && { name }) }),
  start: (name) => ({ change: 'program', name, running: true }),
  stop: (name) => ({ change: 'program', name, running: false }),
  allow: (name) => ({ change: 'program', name, allowed: true }),
  forbid: (name) => ({ change: 'program', name, allowed: false }),
  speed: (text) => ({ change: 'speed', speed: Number(text) }),
  reset: () => ({ change: 'reset' }),
};

/** The change that `words` ask for. Throws Exit with one sentence that names what there is instead. */
function readChange(words: readonly string[], state: BuiltInState): BuiltInChange {
  const [command = '', word] = words;
  const make = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!make || words.length > 2)
    throw new Exit(EXIT.usage, `There is no "${words.join(' ')}".\n${BUILT_IN_HELP}`);
  const names: Readonly<Record<string, readonly string[]>> = {
    nat: state.kinds.map((each) => each.name),
    fault: state.faults.map((each) => each.name),
    heal: state.faults.map((each) => each.name),
    ...Object.fromEntries(
      ['start', 'stop', 'allow', 'forbid'].map((each) => [
        each,
        state.programs.map(({ name }) => name.toLowerCase()),
      ]),
    ),
  };
  const parsed = builtInCalls.changeBuiltIn.params.safeParse(make(word));
  const known = names[command];
  const fits = !known || word === undefined || known.some((each) => same(each, word));
  if (parsed.success && fits) return parsed.data;
  throw new Exit(
    EXIT.usage,
    known
      ? `"${command}" takes one of: ${known.join(', ')}.`
      : `"${command}" takes a number from 0.1 to 100.`,
  );
}

/** Whether a person means the same by both. */
export function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** Does what `words` say, or nothing if there are none, and gives the network as it is then. */
export async function drive(
  api: Required<Pick<Api, 'builtIn' | 'changeBuiltIn'>>,
  words: readonly string[],
): Promise<BuiltInState> {
  const state = await api.builtIn({});
  return words.length === 0 ? state : api.changeBuiltIn(readChange(words, state));
}

/** The whole of it in a few tables. */
export function builtInText(state: BuiltInState): string {
  const nat = state.kinds.find(({ name }) => name === state.nat)!;
  const active = state.faults.filter((each) => each.active);
  return [
    `This is the built-in network: nothing of it is outside this process. Time passes ${state.speed} times as fast.`,
    '',
    `Router   ${nat.name}: ${nat.text}`,
    `Faults   ${active.map(({ name, text }) => `${name}: ${text}`).join('; ') || 'none'}`,
    '',
    table([
      ['PROGRAM', 'STATE', 'MAY', 'SENT', 'RECEIVED', 'REFUSED', 'WHAT IT IS'],
      ...state.programs.map((each) => [
        each.name,
        each.running ? 'runs' : '-',
        each.allowed ? 'yes' : 'no',
        String(each.sent),
        String(each.received),
        String(each.refused),
        each.text,
      ]),
    ]),
    '',
    table([
      ['HOST', 'ADDRESS', 'BEHIND'],
      ...state.hosts.map(({ name, address, text }) => [name, address ?? 'none yet', text]),
    ]),
    '',
    `Routers  ${state.kinds.map((each) => each.name).join(' ')}`,
    `To fail  ${state.faults.map((each) => each.name).join(' ')}`,
  ].join('\n');
}
