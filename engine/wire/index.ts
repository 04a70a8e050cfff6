// Module wire/index is the door of the room: everything that others may use of it.
export * from './authentication.ts';
export * from './datagram.ts';
export * from './discards.ts';
export * from './icmp6.ts';
export * from './ip.ts';
export * from './ipv6.ts';
export * from './ndp.ts';
export * from './origin.ts';
export * from './portmap.ts';
export * from './reach.ts';
export * from './teredo.ts';
export * from './trailers.ts';
export * from './types.ts';
