// Module relay/index is the door of the room: everything that others may use of it.
export { PEER_VALID_MS, relayConfig } from './config.ts';
export type { RelaySettings } from './config.ts';
export * from './relay.ts';
export * from './types.ts';
