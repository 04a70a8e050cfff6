// Module service/session-bus gives the desktop app the message bus of the session.
export { NoAnswer, SessionBus, unwrapped } from '../host/session-bus.ts';
export type { Place } from '../host/session-bus.ts';
