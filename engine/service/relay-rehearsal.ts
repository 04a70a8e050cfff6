// Module service/relay-rehearsal lets a relay live through a flood before it meets one, so that a real one adds next to no memory.
import { setFlagsFromString } from 'node:v8';
import { relayConfig, TeredoRelay } from '../relay/index.ts';
import { buildIp6Packet, encodeTeredo, PROTOCOL } from '../wire/index.ts';
import type { Ip6 } from '../wire/index.ts';

/** As many as it takes for the engine below us to have compiled what a flood runs. */
const PACKETS = 20_000;
/** Of virtual time. */
const PACKETS_PER_MS = 10;
const TEREDO_SERVER = 0xc0000201;
const FIRST_CLIENT = 0xc6336400;
const ROUTER: Ip6 = 0x20010db8n << 96n;

/**
 * Runs a relay of its own, without any socket, through what a hostile native host may send: code that was compiled and memory that
 * was taken once is there for the real one. Takes about a tenth of a second.
 */
export function rehearseFlood(): void {
  // What a packet leaves is garbage at once: a larger nursery would only be memory that is never given back.
  setFlagsFromString('--semi-space-growth-factor=1');
  let counter = 1;
  const random = {
    bytes: (length: number): Uint8Array =>
      Uint8Array.from({ length }, () => (counter = (counter * 48_271) % 0x7fffffff) & 0xff),
  };
  const relay = new TeredoRelay(relayConfig({ address: ROUTER }), random, () => undefined);
  let due = Infinity;
  const drain = (): void => {
    for (let output = relay.pollOutput(); output; output = relay.pollOutput())
      if (output.kind === 'timeout') due = output.at;
  };
  relay.handleInput({ kind: 'network', networks: [], served: [] }, 0);
  for (let n = 0; n < PACKETS; n++) {
    const client = { ip: FIRST_CLIENT + (n & 0xff), port: 1024 + n };
    const destination = encodeTeredo({ server: TEREDO_SERVER, flags: 0, client });
    const fields = { source: ROUTER + 1n, destination, nextHeader: PROTOCOL.udp, hopLimit: 64 };
    const bytes = buildIp6Packet(fields, new Uint8Array(16));
    relay.handleInput({ kind: 'packet', bytes }, Math.floor(n / PACKETS_PER_MS));
    drain();
  }
  while (due !== Infinity) {
    relay.handleInput({ kind: 'timeout' }, due);
    drain();
  }
}
