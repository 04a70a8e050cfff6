// Module service/bridge names what a window gets from the app: calls whose failures are data, and updates of what it shows.
import type { CallName, CallResult, Params } from './api.ts';
import type { Failure } from './failure.ts';
import type { ShellCallName, ShellParams, ShellResult } from './shell-calls.ts';
import type { Update } from './slices.ts';

export type AppCall = CallName | ShellCallName;
export type AppParams<C extends AppCall> = C extends CallName
  ? Params<C>
  : C extends ShellCallName
    ? ShellParams<C>
    : never;
export type AppResult<C extends AppCall> = C extends CallName
  ? CallResult<C>
  : C extends ShellCallName
    ? ShellResult<C>
    : never;

/** A failure with its code of docs/codes.md and a sentence for a person. */
export type Outcome<R> =
  { readonly ok: true; readonly result: R } | { readonly ok: false; readonly error: Failure };

/** `window.shipworm`. */
export interface Bridge {
  call<C extends AppCall>(name: C, params: AppParams<C>): Promise<Outcome<AppResult<C>>>;
  /** Calls back with the whole first, then with changes. Returns a stop function. */
  watch(onUpdate: (update: Update) => void): () => void;
}
