// Module gate/index is the door of the room: everything that others may use of it.
export * from './gate.ts';
export * from './identity.ts';
export { counts, mayBeReached, policyAbout, reaches } from './rules.ts';
export type { Decision } from './rules.ts';
export * from './screen.ts';
export * from './types.ts';
export type { FlowRow } from './verdicts.ts';
