// The relay's list of clients that proved themselves, beside a plain map in the order of the last reception that does the same in few words.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PeerStamps } from '../../../engine/datapath/types.ts';
import { relayLimits } from '../../../engine/relay/config.ts';
import { RelayPeers } from '../../../engine/relay/peers.ts';
import type { RelayPeerRow, RelayStamps } from '../../../engine/relay/types.ts';
import type { Endpoint, Ip6 } from '../../../engine/wire/index.ts';
import { at, countedRandom } from '../machine.ts';

const VALID_MS = 30_000;
const FORGET_MS = 300_000;
/** Of the oldest so many are looked at for one that may go. */
const LOOKED_AT = 64;

/** RFC 4380 §5.4 with bounds: what is valid stays, the oldest that is not makes room, silence of five minutes ends an entry. */
class Model {
  readonly clients = new Map<Ip6, { endpoint: Endpoint; received: number }>();
  readonly stamps: RelayStamps;
  readonly gone: Ip6[] = [];

  constructor(stamps: RelayStamps) {
    this.stamps = stamps;
  }

  heard(address: Ip6): number {
    return Math.max(this.clients.get(address)!.received, this.stamps(address)?.lastReceivedMs ?? 0);
  }

  set(address: Ip6, endpoint: Endpoint, now: number, max: number): boolean {
    if (!this.clients.has(address) && this.clients.size >= max) {
      const oldest = [...this.clients].slice(0, LOOKED_AT);
      const victim = oldest.find(([each]) => now - this.heard(each) >= VALID_MS);
      if (!victim) {
        for (const [each, entry] of oldest) {
          this.clients.delete(each);
          this.clients.set(each, entry);
        }
        return false;
      }
      this.remove(victim[0]);
    }
    this.clients.delete(address);
    this.clients.set(address, { endpoint, received: now });
    return true;
  }

  forget(now: number): void {
    for (const address of [...this.clients.keys()]) {
      const last = Math.max(this.heard(address), this.stamps(address)?.lastSentMs ?? 0);
      if (now - last >= FORGET_MS) this.remove(address);
    }
  }

  private remove(address: Ip6): void {
    this.clients.delete(address);
    this.gone.push(address);
  }
}

const rowsOf = (peers: RelayPeers, now: number): RelayPeerRow[] =>
  [...peers.latest(now)].map((row) => row()).reverse();

describe('clients that proved themselves', () => {
  const address = fc.nat(150).map(BigInt);
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ act: fc.constant('heard' as const), address, port: fc.nat(3) }),
    },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('carried' as const), address }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('sent' as const), address }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.nat(60_000) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('limit' as const), max: fc.nat(100) }) },
  );

  test('are kept, pushed out and forgotten as RFC 4380 §5.4 and the bound say', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 600 }), (steps) => {
        const stamps = new Map<Ip6, PeerStamps>();
        const stampsOf: RelayStamps = (each) => stamps.get(each);
        const stamp = (each: Ip6, change: Partial<PeerStamps>): void => {
          const none = { lastReceivedMs: 0, lastSentMs: 0, bytesIn: 0, bytesOut: 0 };
          const before = stamps.get(each) ?? { ...none, packetsIn: 0, packetsOut: 0 };
          stamps.set(each, { ...before, ...change });
        };
        const model = new Model(stampsOf);
        const peers = new RelayPeers(relayLimits({ maxPeers: 70 }), stampsOf, countedRandom());
        const gone: Ip6[] = [];
        let now = 1_000_000;
        let max = 70;
        for (const each of steps) {
          now += 1;
          switch (each.act) {
            case 'heard': {
              const endpoint = { ip: 1, port: each.port };
              const set = peers.setProven(each.address, endpoint, now, (a) => gone.push(a));
              expect(set !== undefined).toBe(model.set(each.address, endpoint, now, max));
              break;
            }
            case 'carried':
              stamp(each.address, { lastReceivedMs: now });
              break;
            case 'sent':
              stamp(each.address, { lastSentMs: now });
              break;
            case 'wait':
              now += each.ms;
              peers.forget(now, (a) => gone.push(a));
              model.forget(now);
              break;
            case 'limit':
              max = each.max;
              peers.setLimits(relayLimits({ maxPeers: max }));
          }
          expect(peers.provenCount).toBe(model.clients.size);
        }
        expect(gone.sort()).toEqual(model.gone.sort());
        expect(rowsOf(peers, now)).toMatchObject(
          [...model.clients].map(([each, { endpoint }]) => ({
            address: each,
            endpoint,
            trusted: now - model.heard(each) < VALID_MS,
            lastReceivedMs: model.heard(each),
          })),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('a hundred thousand are looked over by and by, each once in 30 s, a thousand at a time at most', () => {
    let asked = 0;
    const count = (): undefined => {
      asked++;
    };
    const peers = new RelayPeers(relayLimits({}), count, countedRandom());
    for (let n = 0; n < 100_000; n++) peers.setProven(BigInt(n), at('192.0.2.1:5'), n, () => {});
    const end = 100_000 + FORGET_MS;
    let gone = 0;
    for (let now = end; now <= end + 30_000; now += peers.checkMs) {
      const before = asked;
      peers.forget(now, () => gone++);
      expect(asked - before).toBeLessThanOrEqual(1_024);
      if (peers.provenCount === 0) break;
    }
    expect(gone).toBe(100_000);
  });
});
