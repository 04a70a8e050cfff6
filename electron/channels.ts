// Module electron/channels names what the window and the app say to each other.

/** The window asks: `call(name, params)`. */
export const CALL = 'shipworm:call';
/** The window begins and stops to watch. */
export const WATCH = 'shipworm:watch';
export const UNWATCH = 'shipworm:unwatch';
/** The app tells. */
export const UPDATE = 'shipworm:update';
