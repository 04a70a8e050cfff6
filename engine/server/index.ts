// Module server/index is the door of the room: everything that others may use of it.
export * from './server.ts';
export * from './types.ts';
