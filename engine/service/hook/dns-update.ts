// Module hook/dns-update replaces the AAAA record of a name by a signed DNS UPDATE (RFC 2136, TSIG of RFC 8945 with HMAC-SHA256).
import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { connect } from 'node:net';

const TYPE = { soa: 6, aaaa: 28, tsig: 250 } as const;
const CLASS = { in: 1, any: 255 } as const;
const UPDATE = 5;
const ALGORITHM = 'hmac-sha256';
/** Seconds that the clocks of both may differ. */
const FUDGE = 300;
const HEADER = 12;
const ANSWER_MS = 10_000;

/** What the server answers (RFC 1035, RFC 2136 §2.2), and what TSIG adds to that (RFC 8945 §3). */
const RCODES: Readonly<Record<number, string>> = {
  1: 'it did not understand the request (FORMERR)',
  2: 'it failed (SERVFAIL)',
  4: 'it takes no updates (NOTIMP)',
  5: 'it refuses the update (REFUSED); it must allow that key to change the name',
  9: 'it is not in charge of the zone, or does not take the key (NOTAUTH)',
  10: 'the name is not in the zone (NOTZONE)',
};
const TSIG_ERRORS: Readonly<Record<number, string>> = {
  16: 'the key’s secret is not the one that it has (BADSIG)',
  17: 'it does not know the key (BADKEY)',
  18: 'its clock and ours differ too much (BADTIME)',
};

export interface DnsUpdate {
  readonly zone: string;
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  readonly key: { readonly name: string; readonly secret: Uint8Array };
  /** 16 bytes. */
  readonly address: Uint8Array;
}

/** A domain name in wire form (RFC 1035 §3.1), in lower case as TSIG wants it. Throws where it can't be one. */
export function wireName(name: string): Uint8Array {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const parts = labels.map((label) => {
    const bytes = Buffer.from(label, 'ascii');
    if (bytes.length < 1 || bytes.length > 63) throw new Error(`${name} is no domain name.`);
    return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  });
  const whole = Buffer.concat([...parts, Buffer.from([0])]);
  if (whole.length > 255) throw new Error(`${name} is no domain name.`);
  return whole;
}

function u16(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => bytes.writeUInt16BE(value, i * 2));
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u48(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}

/** The fields of a TSIG record that are signed besides the message (RFC 8945 §4.3.3). */
function variables(key: string, seconds: number, error: number, other: Uint8Array): Buffer {
  return Buffer.concat([
    wireName(key),
    u16(CLASS.any),
    u32(0),
    wireName(ALGORITHM),
    u48(seconds),
    u16(FUDGE, error, other.length),
    other,
  ]);
}

export interface SignedUpdate {
  readonly bytes: Uint8Array;
  readonly mac: Uint8Array;
}

/** The request; `seconds` since 1970. */
export function buildUpdate(update: DnsUpdate, id: number, seconds: number): SignedUpdate {
  const { zone, name, ttl, key, address } = update;
  const record = (type: number, kind: number, seconds32: number, data: Uint8Array): Buffer =>
    Buffer.concat([wireName(name), u16(type, kind), u32(seconds32), u16(data.length), data]);
  const body = Buffer.concat([
    wireName(zone),
    u16(TYPE.soa, CLASS.in),
    // All AAAA records of the name go, and this one comes (RFC 2136 §2.5.2, §2.5.1).
    record(TYPE.aaaa, CLASS.any, 0, new Uint8Array()),
    record(TYPE.aaaa, CLASS.in, ttl, address),
  ]);
  const head = (additional: number): Buffer => u16(id, UPDATE << 11, 1, 0, 2, additional);
  const mac = createHmac('sha256', key.secret)
    .update(head(0))
    .update(body)
    .update(variables(key.name, seconds, 0, new Uint8Array()))
    .digest();
  const data = Buffer.concat([
    wireName(ALGORITHM),
    u48(seconds),
    u16(FUDGE, mac.length),
    mac,
    u16(id, 0, 0),
  ]);
  const tsig = Buffer.concat([
    wireName(key.name),
    u16(TYPE.tsig, CLASS.any),
    u32(0),
    u16(data.length),
    data,
  ]);
  return { bytes: Buffer.concat([head(1), body, tsig]), mac };
}

/** Where the record after the name at `at` begins; names may end in a pointer. */
function afterName(message: Buffer, at: number): number {
  for (;;) {
    const length = message.readUInt8(at);
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
    if (length === 0) return at;
  }
}

/** Throws with one sentence unless `answer` says, signed with the key, that the update was made. */
function checkAnswer(
  answer: Uint8Array,
  request: SignedUpdate,
  key: DnsUpdate['key'],
  id: number,
): void {
  const message = Buffer.from(answer);
  if (message.length < HEADER || message.readUInt16BE(0) !== id || message[2]! >> 7 !== 1)
    throw new Error('its answer was to something else');
  const rcode = message[3]! & 15;
  const [zones, prerequisites, updates, additional] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  ) as [number, number, number, number];
  let at = HEADER;
  for (let i = 0; i < zones; i++) at = afterName(message, at) + 4;
  let last = -1;
  for (let i = 0; i < prerequisites + updates + additional; i++) {
    last = at;
    const head = afterName(message, at);
    at = head + 10 + message.readUInt16BE(head + 8);
  }
  const head = last < 0 ? 0 : afterName(message, last);
  const signed = additional > 0 && message.readUInt16BE(head) === TYPE.tsig;
  if (!signed)
    throw new Error(
      RCODES[rcode] ??
        (rcode === 0 ? 'its answer was not signed' : `it answered with code ${rcode}`),
    );
  let data = afterName(message, head + 10);
  const seconds = message.readUIntBE(data, 6);
  const size = message.readUInt16BE(data + 8);
  const mac = message.subarray(data + 10, data + 10 + size);
  data += 10 + size;
  const error = message.readUInt16BE(data + 2);
  const other = message.subarray(data + 6, data + 6 + message.readUInt16BE(data + 4));
  if (error !== 0)
    throw new Error(TSIG_ERRORS[error] ?? `it answered with the TSIG error ${error}`);
  const plain = Buffer.from(message.subarray(0, last));
  plain.writeUInt16BE(message.readUInt16BE(data), 0);
  plain.writeUInt16BE(additional - 1, 10);
  const expected = createHmac('sha256', key.secret)
    .update(u16(request.mac.length))
    .update(request.mac)
    .update(plain)
    .update(variables(key.name, seconds, error, other))
    .digest();
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected))
    throw new Error('its answer was signed by somebody else');
  if (rcode !== 0) throw new Error(RCODES[rcode] ?? `it answered with code ${rcode}`);
}

/** Makes the update at `server`:`port` over TCP. Rejects with one sentence, or the end of one. */
export async function sendUpdate(
  server: string,
  port: number,
  update: DnsUpdate,
  answerMs = ANSWER_MS,
): Promise<void> {
  const id = randomInt(0x10000);
  const request = buildUpdate(update, id, Math.floor(Date.now() / 1000));
  const answer = await exchange(server, port, request.bytes, answerMs);
  try {
    checkAnswer(answer, request, update.key, id);
  } catch (error) {
    if (error instanceof RangeError) throw new Error('its answer was cut off', { cause: error });
    throw error;
  }
}

/** One message each way, its length before it (RFC 1035 §4.2.2). */
function exchange(server: string, port: number, request: Uint8Array, ms: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const socket = connect({ host: server, port }, () =>
      socket.write(Buffer.concat([u16(request.length), request])),
    );
    const timer = setTimeout(() => fail(`it did not answer within ${ms / 1000} s`), ms);
    const fail = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(text));
    };
    socket.on('error', (error) => fail(`it can’t be reached (${error.message})`));
    socket.on('close', () => fail('it closed the connection without an answer'));
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      clearTimeout(timer);
      socket.removeAllListeners('close');
      socket.destroy();
      resolve(got.subarray(2, 2 + got.readUInt16BE(0)));
    });
  });
}
