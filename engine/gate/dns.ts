// Module gate/dns asks for service records and reads the answer (RFC 1035, RFC 2782), compressed names in them too.

const TYPE_SRV = 33;
const CLASS_IN = 1;
const RECURSION_DESIRED = 0x0100;
const RESPONSE = 0x8000;
const CODE_MASK = 0x000f;
const HEADER = 12;
/** Labels and their lengths (RFC 1035 §3.1). */
const MAX_NAME = 255;
const MAX_LABEL = 63;

export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** A query for the service records of `name`; null when it is no name. */
export function buildServiceQuery(name: string, id: number): Uint8Array | null {
  const labels = name.split('.').map((label) => new TextEncoder().encode(label));
  const length = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  if (labels.some((label) => label.length === 0 || label.length > MAX_LABEL) || length > MAX_NAME)
    return null;
  const bytes = new Uint8Array(HEADER + length + 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  view.setUint16(2, RECURSION_DESIRED);
  view.setUint16(4, 1);
  let at = HEADER;
  for (const label of labels) {
    bytes[at] = label.length;
    bytes.set(label, at + 1);
    at += 1 + label.length;
  }
  view.setUint16(at + 1, TYPE_SRV);
  view.setUint16(at + 3, CLASS_IN);
  return bytes;
}

/**
 * The service records in an answer with this `id`; null when it is none, or says that something is wrong. RFC 2782 wants no
 * compressed name in them, but Samba's name server compresses.
 */
export function parseServiceAnswer(bytes: Uint8Array, id: number): ServiceRecord[] | null {
  if (bytes.length < HEADER) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || (flags & RESPONSE) === 0 || (flags & CODE_MASK) !== 0)
    return null;
  let at = HEADER;
  for (let questions = view.getUint16(4); questions > 0; questions--) {
    const name = readDnsName(bytes, at);
    if (!name) return null;
    at = name.next + 4;
  }
  const records: ServiceRecord[] = [];
  for (let answers = view.getUint16(6); answers > 0; answers--) {
    const name = readDnsName(bytes, at);
    if (!name || name.next + 10 > bytes.length) return null;
    const type = view.getUint16(name.next);
    const data = name.next + 10;
    at = data + view.getUint16(name.next + 8);
    if (at > bytes.length) return null;
    if (type !== TYPE_SRV) continue;
    const target = data + 6 < at ? readDnsName(bytes, data + 6) : null;
    if (!target) return null;
    records.push({
      priority: view.getUint16(data),
      weight: view.getUint16(data + 2),
      port: view.getUint16(data + 4),
      target: target.text,
    });
  }
  return records;
}

/** The name at `start` (RFC 1035 §4.1.4); pointers count from the start of `bytes` and lead back only, so never in circles. */
export function readDnsName(
  bytes: Uint8Array,
  start: number,
): { readonly text: string; readonly next: number } | null {
  const labels: string[] = [];
  let at = start;
  let next: number | null = null;
  let length = 1;
  for (;;) {
    const size = bytes[at];
    if (size === undefined) return null;
    if (size >= 0xc0) {
      const low = bytes[at + 1];
      if (low === undefined) return null;
      const target = ((size & 0x3f) << 8) | low;
      if (target >= at) return null;
      next ??= at + 2;
      at = target;
      continue;
    }
    if (size > MAX_LABEL || at + 1 + size > bytes.length) return null;
    if (size === 0) return { text: labels.join('.'), next: next ?? at + 1 };
    length += size + 1;
    if (length > MAX_NAME) return null;
    labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + size)));
    at += 1 + size;
  }
}
