// Leaves out of a bundle what a library tries to load and does without; a module of that name anywhere on the machine must not be taken for one.
import type { Plugin } from 'vite';

/** Of dbus-next: descriptors over the bus, and the address of a bus from an X server. */
const ABSENT = ['usocket', 'x11'];

export const absentParts: Plugin = {
  name: 'absent',
  enforce: 'pre',
  resolveId: (id) => (ABSENT.includes(id) ? `\0absent:${id}` : null),
  load: (id) =>
    id.startsWith('\0absent:') ? `throw new Error('${id.slice(8)} is not there');` : null,
};
