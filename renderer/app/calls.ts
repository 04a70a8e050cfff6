// Module app/calls asks the engine and the shell; what fails is told once, in one place.
import type { AppCall, AppParams, AppResult, Outcome } from '../../engine/service/bridge.ts';
import { sayFailure } from './failures.ts';
import { useStore } from './store.ts';

/** The answer as it is, for a place that shows the error itself. */
export function ask<C extends AppCall>(
  name: C,
  params: AppParams<C>,
): Promise<Outcome<AppResult<C>>> {
  return window.shipworm.call(name, params);
}

/** Null when it failed: the window says so in words. */
export async function call<C extends AppCall>(
  name: C,
  params: AppParams<C>,
): Promise<AppResult<C> | null> {
  const answer = await ask(name, params);
  if (answer.ok) return answer.result;
  useStore.getState().tell({ kind: 'failed', text: sayFailure(answer.error) });
  return null;
}
