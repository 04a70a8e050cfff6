// Module cli/pcs keeps other PCs by name for `shipworm pcs`: add, test, update, forget, invite.
import { callService } from '../engine/service/control-client.ts';
import type { KnownPc } from '../engine/service/pc-calls.ts';
import { EXIT, Exit, print, printJson, table } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

const TEST_MS = 20_000;

export async function listPcs(options: QueryOptions): Promise<void> {
  const rows = await ask(callService(paths(options), 'pcs', {}));
  if (options.json) printJson(rows);
  else print(pcsText(rows));
}

export async function addPc(name: string, target: string, options: QueryOptions): Promise<void> {
  one(await ask(callService(paths(options), 'setPc', { name, target })), options);
}

export async function renamePc(name: string, to: string, options: QueryOptions): Promise<void> {
  one(await ask(callService(paths(options), 'renamePc', { name, to })), options);
}

export async function forgetPc(name: string, options: QueryOptions): Promise<void> {
  const { forgotten } = await ask(callService(paths(options), 'forgetPc', { name }));
  if (options.json) printJson({ forgotten });
  if (!forgotten)
    throw new Exit(
      EXIT.failed,
      options.json ? '' : `There is no PC named ${name}; see: shipworm pcs`,
    );
}

export async function testPc(name: string, options: QueryOptions): Promise<void> {
  const pc = await ask(callService(paths(options), 'testPc', { name }, TEST_MS));
  one(pc, options);
  if (pc.state === 'unreachable') throw new Exit(EXIT.failed);
}

export async function updatePc(name: string, options: QueryOptions): Promise<void> {
  one(await ask(callService(paths(options), 'updatePc', { name })), options);
}

export async function invite(options: QueryOptions): Promise<void> {
  const invitation = await ask(callService(paths(options), 'invitation', {}));
  if (options.json) printJson(invitation);
  else print(invitation.text);
}

function one(pc: KnownPc, options: QueryOptions): void {
  if (options.json) printJson(pc);
  else print(`${pc.name} (${pc.address ?? pc.target}): ${pc.text}${offerText(pc)}`);
}

const offerText = ({ name, offer }: KnownPc): string =>
  offer ? ` ${offer.text} Take it with: shipworm pcs update ${name}` : '';

function pcsText(rows: readonly KnownPc[]): string {
  if (rows.length === 0) return 'No PC is known yet. Add one: shipworm pcs add NAME ADDRESS';
  return table([
    ['NAME', 'ADDRESS', 'STATE', 'WHY'],
    ...rows.map((pc) => [pc.name, pc.address ?? pc.target, pc.state, `${pc.text}${offerText(pc)}`]),
  ]);
}
