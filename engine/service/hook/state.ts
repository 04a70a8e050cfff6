// Module hook/state has what is shown before anything was told of a new address.
import type { HookState } from './calls.ts';

export const NOTHING_TOLD: HookState = { busy: false, command: null, update: null };
