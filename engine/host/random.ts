// Module host/random gives the system's random bytes, fetched many at a time: a call for each few costs more than the packet they are for.
import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 1024;

/** Each byte is given once and then forgotten here. */
export class RandomPool {
  private readonly pool = new Uint8Array(POOL_BYTES);
  private left = 0;

  bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    if (length > this.left) {
      randomFillSync(this.pool);
      this.left = POOL_BYTES;
    }
    const end = this.left;
    this.left -= length;
    const taken = this.pool.slice(this.left, end);
    this.pool.fill(0, this.left, end);
    return taken;
  }
}
