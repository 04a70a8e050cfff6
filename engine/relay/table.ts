// Module relay/table holds a million clients in some sixty bytes each: columns of numbers in pieces, found by linear hashing.
//
// No call costs more than a few steps, however many there are: the index grows and shrinks by one bucket at a time (Litwin 1980),
// the columns by one piece, and a piece that is empty is given back.
import type { Endpoint, Ip6, Random } from '../wire/types.ts';
import { hashKey, hashWords } from './hash.ts';
import type { HashKey } from './hash.ts';

/** Where an entry is; stands for it until it is removed. */
export type Place = number & { readonly place: true };

const PIECE_BITS = 12;
/** Entries of one piece, and buckets of one piece of the index. */
export const PIECE = 1 << PIECE_BITS;
const WITHIN = PIECE - 1;
/** No place, or no bucket's first. */
const NONE = 0xffffffff;

/** Columns of `PIECE` entries. In a free place `chain` names the next free one of the piece, and `received` is NaN. */
interface Piece {
  /** Four words each, the lowest first. */
  readonly addresses: Uint32Array;
  readonly received: Float64Array;
  readonly announced: Float64Array;
  readonly ips: Uint32Array;
  /** The next of the same bucket. */
  readonly chain: Uint32Array;
  readonly older: Uint32Array;
  readonly younger: Uint32Array;
  readonly ports: Uint16Array;
  used: number;
  free: number;
}

/** Someone who looks at one entry after the other while the table changes. */
interface Reader {
  next: number;
}

/** Clients by their address, in an order that `renew` sets. */
export class ClientTable {
  private readonly key: HashKey;
  private readonly pieces: (Piece | undefined)[] = [];
  /** No piece before it has room. */
  private roomy = 0;
  private reach = 0;
  private readonly index: Uint32Array[] = [new Uint32Array(PIECE).fill(NONE)];
  private buckets = 1;
  /** The largest power of two that is not above `buckets`. */
  private base = 1;
  private oldest = NONE;
  private youngest = NONE;
  private count = 0;
  private readonly readers = new Set<Reader>();
  private readonly wide = new BigUint64Array(2);
  private readonly words = new Uint32Array(this.wide.buffer);

  constructor(random: Random) {
    this.key = hashKey(random.bytes(8));
  }

  get size(): number {
    return this.count;
  }

  /** No entry is at this place or behind it. */
  get extent(): number {
    return this.reach;
  }

  find(address: Ip6): Place | undefined {
    this.read(address);
    const [a, b, c, d] = this.words as unknown as [number, number, number, number];
    let place = this.first(this.bucketOf(hashWords(this.key, a, b, c, d)));
    while (place !== NONE) {
      const { addresses, chain } = this.piece(place);
      const at = (place & WITHIN) * 4;
      if (
        addresses[at] === a &&
        addresses[at + 1] === b &&
        addresses[at + 2] === c &&
        addresses[at + 3] === d
      )
        return place as Place;
      place = chain[place & WITHIN]!;
    }
    return undefined;
  }

  /** Adds `address`, which is not there yet, as the youngest. Never heard and never announced: its times are -Infinity. */
  add(address: Ip6, { ip, port }: Endpoint): Place {
    const place = this.take();
    const piece = this.piece(place);
    const at = place & WITHIN;
    this.read(address);
    piece.addresses.set(this.words, at * 4);
    piece.ips[at] = ip;
    piece.ports[at] = port;
    piece.received[at] = piece.announced[at] = -Infinity;
    this.append(place);
    this.count += 1;
    this.chainUp(place);
    if (this.count > this.buckets) this.grow();
    return place as Place;
  }

  remove(place: Place): void {
    this.unchain(place);
    this.unlink(place);
    this.count -= 1;
    this.giveBack(place);
    // Twice, else removal could never keep up with what is removed.
    for (let i = 0; i < 2 && this.buckets > Math.max(1, 2 * this.count); i++) this.shrink();
  }

  /** Makes the entry the youngest. */
  renew(place: Place): void {
    if (this.youngest === place) return;
    this.unlink(place);
    this.append(place);
  }

  address(place: Place): Ip6 {
    const at = (place & WITHIN) * 4;
    this.words.set(this.piece(place).addresses.subarray(at, at + 4));
    return (this.wide[1]! << 64n) | this.wide[0]!;
  }

  endpoint(place: Place): Endpoint {
    const { ips, ports } = this.piece(place);
    return { ip: ips[place & WITHIN]!, port: ports[place & WITHIN]! };
  }

  setEndpoint(place: Place, { ip, port }: Endpoint): void {
    const { ips, ports } = this.piece(place);
    ips[place & WITHIN] = ip;
    ports[place & WITHIN] = port;
  }

  /** ms, as `setReceived` had it. */
  received(place: Place): number {
    return this.piece(place).received[place & WITHIN]!;
  }

  setReceived(place: Place, ms: number): void {
    this.piece(place).received[place & WITHIN] = ms;
  }

  /** ms, as `setAnnounced` had it. */
  announced(place: Place): number {
    return this.piece(place).announced[place & WITHIN]!;
  }

  setAnnounced(place: Place, ms: number): void {
    this.piece(place).announced[place & WITHIN] = ms;
  }

  /** The eldest entries, at most `count`. */
  eldest(count: number): Place[] {
    const found: Place[] = [];
    for (let place = this.oldest; place !== NONE && found.length < count;) {
      found.push(place as Place);
      place = this.piece(place).younger[place & WITHIN]!;
    }
    return found;
  }

  /**
   * From the youngest to the oldest, one at a time. The table may change meanwhile: what is removed is left out, and so is what
   * becomes the youngest.
   */
  *latest(): Generator<Place, void> {
    const reader = { next: this.youngest };
    this.readers.add(reader);
    try {
      while (reader.next !== NONE) {
        const place = reader.next;
        reader.next = this.piece(place).older[place & WITHIN]!;
        yield place as Place;
      }
    } finally {
      this.readers.delete(reader);
    }
  }

  /**
   * Looks at the next `span` places from `from` on, and has `visit`, which may remove it, take each entry there that was received
   * before `before`. Returns where to go on: 0 after the last.
   */
  sweep(from: number, span: number, before: number, visit: (place: Place) => void): number {
    const end = Math.min(from + span, this.extent);
    for (let place = from; place < end; place++) {
      const received = this.pieces[place >>> PIECE_BITS]?.received[place & WITHIN];
      if (received === undefined) place |= WITHIN;
      else if (received < before) visit(place as Place);
    }
    return end < this.extent ? end : 0;
  }

  /** Entries that a look-up may meet in the longest bucket; walks through all of them. */
  longestBucket(): number {
    let longest = 0;
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      let length = 0;
      for (let place = this.first(bucket); place !== NONE; length++)
        place = this.piece(place).chain[place & WITHIN]!;
      longest = Math.max(longest, length);
    }
    return longest;
  }

  private piece(place: number): Piece {
    return this.pieces[place >>> PIECE_BITS]!;
  }

  private read(address: Ip6): void {
    this.wide[0] = address;
    this.wide[1] = address >> 64n;
  }

  // ---- the index

  private first(bucket: number): number {
    return this.index[bucket >>> PIECE_BITS]![bucket & WITHIN]!;
  }

  private setFirst(bucket: number, place: number): void {
    this.index[bucket >>> PIECE_BITS]![bucket & WITHIN] = place;
  }

  /** The buckets from `base` on were split off those as far before them. */
  private bucketOf(hash: number): number {
    const bucket = hash & (2 * this.base - 1);
    return bucket < this.buckets ? bucket : hash & (this.base - 1);
  }

  private hashAt(place: number): number {
    const { addresses } = this.piece(place);
    const at = (place & WITHIN) * 4;
    return hashWords(
      this.key,
      addresses[at]!,
      addresses[at + 1]!,
      addresses[at + 2]!,
      addresses[at + 3]!,
    );
  }

  private chainUp(place: number): void {
    const bucket = this.bucketOf(this.hashAt(place));
    this.piece(place).chain[place & WITHIN] = this.first(bucket);
    this.setFirst(bucket, place);
  }

  private unchain(place: number): void {
    const bucket = this.bucketOf(this.hashAt(place));
    const after = this.piece(place).chain[place & WITHIN]!;
    let before = this.first(bucket);
    if (before === place) return this.setFirst(bucket, after);
    for (;;) {
      const { chain } = this.piece(before);
      if (chain[before & WITHIN] === place) {
        chain[before & WITHIN] = after;
        return;
      }
      before = chain[before & WITHIN]!;
    }
  }

  private grow(): void {
    const bucket = this.buckets;
    const halved = bucket - this.base;
    if ((bucket & WITHIN) === 0 && this.index.length === bucket >>> PIECE_BITS)
      this.index.push(new Uint32Array(PIECE).fill(NONE));
    this.buckets += 1;
    let place = this.first(halved);
    this.setFirst(halved, NONE);
    this.setFirst(bucket, NONE);
    if (this.buckets === 2 * this.base) this.base = this.buckets;
    while (place !== NONE) {
      const next = this.piece(place).chain[place & WITHIN]!;
      this.chainUp(place);
      place = next;
    }
  }

  private shrink(): void {
    this.buckets -= 1;
    if (this.buckets < this.base) this.base /= 2;
    let place = this.first(this.buckets);
    while (place !== NONE) {
      const next = this.piece(place).chain[place & WITHIN]!;
      this.chainUp(place);
      place = next;
    }
    // One piece beyond the last that is needed stays, so that a count that goes up and down there costs nothing.
    if (this.index.length > (this.buckets >>> PIECE_BITS) + 2) this.index.pop();
  }

  // ---- the order

  private append(place: number): void {
    const { older, younger } = this.piece(place);
    older[place & WITHIN] = this.youngest;
    younger[place & WITHIN] = NONE;
    if (this.youngest === NONE) this.oldest = place;
    else this.piece(this.youngest).younger[this.youngest & WITHIN] = place;
    this.youngest = place;
  }

  private unlink(place: number): void {
    const piece = this.piece(place);
    const older = piece.older[place & WITHIN]!;
    const younger = piece.younger[place & WITHIN]!;
    for (const reader of this.readers) if (reader.next === place) reader.next = older;
    if (older === NONE) this.oldest = younger;
    else this.piece(older).younger[older & WITHIN] = younger;
    if (younger === NONE) this.youngest = older;
    else this.piece(younger).older[younger & WITHIN] = older;
  }

  // ---- the places

  private take(): number {
    let piece = this.pieces[this.roomy];
    while (piece && piece.free === NONE) piece = this.pieces[++this.roomy];
    piece ??= this.pieces[this.roomy] = emptyPiece();
    const at = piece.free;
    piece.free = piece.chain[at]!;
    piece.used += 1;
    const place = this.roomy * PIECE + at;
    this.reach = Math.max(this.reach, place + 1);
    return place;
  }

  /** The first piece with room stays even if it is empty: what comes next goes there. */
  private giveBack(place: number): void {
    const number = place >>> PIECE_BITS;
    const piece = this.pieces[number]!;
    piece.received[place & WITHIN] = NaN;
    piece.chain[place & WITHIN] = piece.free;
    piece.free = place & WITHIN;
    piece.used -= 1;
    const before = this.roomy;
    this.roomy = Math.min(before, number);
    if (number > this.roomy) this.drop(number);
    if (before > this.roomy) this.drop(before);
  }

  private drop(number: number): void {
    if (this.pieces[number]?.used !== 0) return;
    this.pieces[number] = undefined;
    while (this.pieces.length > 0 && this.pieces.at(-1) === undefined) this.pieces.pop();
    this.reach = Math.min(this.reach, this.pieces.length * PIECE);
  }
}

function emptyPiece(): Piece {
  return {
    addresses: new Uint32Array(4 * PIECE),
    received: new Float64Array(PIECE).fill(NaN),
    announced: new Float64Array(PIECE),
    ips: new Uint32Array(PIECE),
    chain: Uint32Array.from({ length: PIECE }, (_, at) => (at + 1 < PIECE ? at + 1 : NONE)),
    older: new Uint32Array(PIECE),
    younger: new Uint32Array(PIECE),
    ports: new Uint16Array(PIECE),
    used: 0,
    free: 0,
  };
}
