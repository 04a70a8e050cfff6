// Module electron/x-selection asks the X server whether some program holds a selection: so an XEmbed tray says that it is there.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';

const ANSWER_MS = 5_000;
/** X11 protocol, "Requests": opcodes, and the least that a reply has, bytes. */
const INTERN_ATOM = 16;
const GET_SELECTION_OWNER = 23;
const REPLY_BYTES = 32;
const COOKIE = 'MIT-MAGIC-COOKIE-1';

interface Display {
  readonly number: string;
  readonly screen: string;
}

/**
 * Whether the selection `<name>_S<screen>` has an owner (System Tray Protocol Specification, "Definitions"). False where there is
 * no X server of this machine, and where it lets nobody in; null where it is too busy to answer.
 */
export async function isSelectionOwned(name: string): Promise<boolean | null> {
  const display = displayOf(process.env['DISPLAY'] ?? '');
  if (!display) return false;
  const socket = connect(`/tmp/.X11-unix/X${display.number}`);
  const late = new Error('no answer');
  socket.setTimeout(ANSWER_MS, () => socket.destroy(late));
  try {
    const read = reader(socket);
    socket.write(greeting(cookieFor(display.number)));
    const head = await read(8);
    await read(head.readUInt16LE(6) * 4);
    if (head[0] !== 1) return false;
    socket.write(internAtom(`${name}_S${display.screen}`));
    const atom = (await read(REPLY_BYTES)).readUInt32LE(8);
    if (atom === 0) return false;
    socket.write(selectionOwner(atom));
    return (await read(REPLY_BYTES)).readUInt32LE(8) !== 0;
  } catch (error) {
    return error === late ? null : false;
  } finally {
    socket.destroy();
  }
}

function displayOf(text: string): Display | null {
  const found = /^(?:unix)?:(\d+)(?:\.(\d+))?$/.exec(text);
  return found && { number: found[1]!, screen: found[2] ?? '0' };
}

/** Gives the next so many bytes; rejects when the connection ends before. */
function reader(socket: Socket): (bytes: number) => Promise<Buffer> {
  let have = Buffer.alloc(0);
  let failure: Error | null = null;
  let look = (): void => undefined;
  socket.on('data', (chunk) => {
    have = Buffer.concat([have, chunk]);
    look();
  });
  socket.on('error', (error) => (failure = error));
  socket.on('close', () => {
    failure ??= new Error('closed');
    look();
  });
  return (bytes) =>
    new Promise((resolve, reject) => {
      look = () => {
        if (have.length < bytes) {
          if (failure) reject(failure);
          return;
        }
        look = () => undefined;
        resolve(have.subarray(0, bytes));
        have = have.subarray(bytes);
      };
      look();
    });
}

/** X11 protocol, "Connection Setup", in little-endian order. */
function greeting(cookie: Buffer | null): Buffer {
  const name = Buffer.from(cookie ? COOKIE : '');
  const data = cookie ?? Buffer.alloc(0);
  const head = Buffer.alloc(12);
  head.write('l');
  head.writeUInt16LE(11, 2);
  head.writeUInt16LE(name.length, 6);
  head.writeUInt16LE(data.length, 8);
  return Buffer.concat([head, padded(name), padded(data)]);
}

function internAtom(text: string): Buffer {
  const name = padded(Buffer.from(text));
  const head = Buffer.alloc(8);
  head[0] = INTERN_ATOM;
  // Only if somebody has named it before.
  head[1] = 1;
  head.writeUInt16LE(2 + name.length / 4, 2);
  head.writeUInt16LE(text.length, 4);
  return Buffer.concat([head, name]);
}

function selectionOwner(atom: number): Buffer {
  const request = Buffer.alloc(8);
  request[0] = GET_SELECTION_OWNER;
  request.writeUInt16LE(2, 2);
  request.writeUInt32LE(atom, 4);
  return request;
}

const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

/** The key to that display, of the file of Xau(3): entries of a family and four texts, each with its length before it. */
function cookieFor(display: string): Buffer | null {
  const path = process.env['XAUTHORITY'] ?? join(homedir(), '.Xauthority');
  try {
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length;) {
      at += 2;
      const [, number, name, data] = [0, 1, 2, 3].map(() => {
        const length = bytes.readUInt16BE(at);
        at += 2 + length;
        return bytes.subarray(at - length, at);
      });
      if (name!.toString() === COOKIE && ['', display].includes(number!.toString())) return data!;
    }
  } catch {
    // No file, or one that ends in the middle: the server may let us in without.
  }
  return null;
}
