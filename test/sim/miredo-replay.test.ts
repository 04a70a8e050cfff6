// Replays conversations recorded from Miredo (test/lab/capture-miredo.ts) into our server and our client, in the place of Miredo's.
import { describe, expect, test } from 'vitest';
import { clientConfig } from '../../engine/client/config.ts';
import { TeredoClient } from '../../engine/client/client.ts';
import type { ClientInput } from '../../engine/client/types.ts';
import { TeredoServer } from '../../engine/server/index.ts';
import type { ServerSide } from '../../engine/server/index.ts';
import { SeededRandom } from '../../engine/sim/index.ts';
import {
  buildEcho,
  checksum6,
  decodeTeredo,
  formatEndpoint,
  parseEcho,
  parseEndpoint,
  parseIp4,
  PROTOCOL,
  readIp6,
  writeIp6,
} from '../../engine/wire/index.ts';
import type { Endpoint, Ip6 } from '../../engine/wire/index.ts';
import clientTape from './fixtures/miredo-client.json' with { type: 'json' };
import serverTape from './fixtures/miredo-server.json' with { type: 'json' };
import { kindOf } from './kinds.ts';

const SERVER = parseIp4('192.0.2.1')!;
const SERVER2 = parseIp4('192.0.2.2')!;
const PRIMARY = '192.0.2.1:3544';

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Where an advertisement's fields begin: behind authentication (13 bytes), origin (8) and the IPv6 header. */
const RA_HEADER = 13 + 8;
const RA_MESSAGE = RA_HEADER + 40;

/**
 * An advertisement with those fields blanked in which RFC 4380 §5.3.1 leaves a server free: flow label and hop limit of the
 * header, its own link-local address, hop limit and lifetimes of the message, and the checksum over them all.
 */
function comparable(advertisement: Uint8Array): string {
  const copy = Uint8Array.from(advertisement);
  const blank = (from: number, to: number): unknown =>
    copy.fill(0, RA_HEADER + from, RA_HEADER + to);
  blank(1, 4);
  blank(7, 24);
  copy.fill(0, RA_MESSAGE + 2, RA_MESSAGE + 16);
  // The option's lifetimes, and its reserved bytes.
  copy.fill(0, RA_MESSAGE + 16 + 4, RA_MESSAGE + 16 + 16);
  return hexOf(copy);
}

describe('our server in the place of Miredo’s', () => {
  test('answers and forwards the same datagrams to the same endpoints', () => {
    const server = new TeredoServer({ primary: SERVER, secondary: SERVER2 });
    const compared: string[] = [];
    serverTape.forEach(({ at, from, to, hex }, i) => {
      if (from === PRIMARY) return;
      const arrivedOn: ServerSide = to === PRIMARY ? 'primary' : 'secondary';
      const input = { from: parseEndpoint(from)!, arrivedOn, bytes: bytesOf(hex) };
      for (const output of server.handleDatagram(input, 1_000 + at)) {
        if (output.kind === 'native') {
          // The connectivity test leaves as it came, one hop on; the recording shows the relay's bubble next.
          const onward = bytesOf(hex);
          onward[7]! -= 1;
          expect(hexOf(output.bytes)).toBe(hexOf(onward));
          compared.push('native');
          continue;
        }
        const theirs = serverTape.slice(i + 1).find((each) => each.from === PRIMARY)!;
        const kind = kindOf(output.bytes);
        expect([kind, formatEndpoint(output.to)]).toEqual([kindOf(bytesOf(theirs.hex)), theirs.to]);
        if (kind.startsWith('advertisement'))
          expect(comparable(output.bytes)).toBe(comparable(bytesOf(theirs.hex)));
        else expect(hexOf(output.bytes)).toBe(theirs.hex);
        compared.push(kind);
      }
    });
    expect(compared).toEqual([
      'advertisement with origin',
      'bubble with origin',
      'native',
      'bubble with origin',
    ]);
  });
});

function setChecksum(packet: Uint8Array): void {
  const message = packet.subarray(40);
  message.fill(0, 2, 4);
  const sum = checksum6(readIp6(packet, 8), readIp6(packet, 24), PROTOCOL.icmp6, message);
  message.set([sum >> 8, sum & 0xff], 2);
}

/** Replaces every place where `bytes` hold the address `from` by `to`, and mends the checksum of an ICMPv6 message. */
function replaceAddress(bytes: Uint8Array, from: Ip6, to: Ip6): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (let at = 0; at + 16 <= copy.length; at++)
    if (readIp6(copy, at) === from) writeIp6(copy, at, to);
  if (copy[0]! >> 4 === 6 && copy[6] === PROTOCOL.icmp6) setChecksum(copy);
  return copy;
}

interface Said {
  readonly kind: string;
  readonly to: string;
  readonly bytes: Uint8Array;
}

describe('our client in the place of Miredo’s', () => {
  const OWN = '198.51.100.7:';
  const client = new TeredoClient(
    clientConfig({ server: SERVER, server2: SERVER2 }),
    new SeededRandom(7),
    () => undefined,
  );

  function say(input: ClientInput, at: number): Said[] {
    client.handleInput(input, 1_000 + at);
    const said: Said[] = [];
    for (let output = client.pollOutput(); output; output = client.pollOutput())
      if (output.kind === 'transmit')
        said.push({
          kind: kindOf(output.bytes),
          to: formatEndpoint(output.to),
          bytes: output.bytes,
        });
    return said;
  }

  test('says the same to the same endpoints, step by step', () => {
    const networks = [{ address: parseIp4('192.168.1.10')!, prefix: 24 }];
    const [solicitation, ...more] = say({ kind: 'network', networks }, 0);
    // Ours asks both addresses of the server at once; Miredo asks one (RFC 4380 §5.2.1 asks them one after another).
    expect(more.map(({ kind, to }) => [kind, to])).toEqual([['solicitation', '192.0.2.2:3544']]);
    const theirs = clientTape[0]!;
    expect([solicitation!.kind, solicitation!.to]).toEqual(['solicitation', theirs.to]);
    expect(solicitation!.bytes).toHaveLength(theirs.hex.length / 2);

    /** Miredo's own addresses on the tape, in the words of its packets: its Teredo address, and its bubbles' source. */
    const tapeAddress = readIp6(
      bytesOf(clientTape.find((each) => each.hex.length === 208)!.hex),
      8,
    );
    const tapeLinkLocal = readIp6(bytesOf(clientTape[2]!.hex), 8);
    expect(decodeTeredo(tapeAddress)!.client).toEqual(parseEndpoint(clientTape[0]!.from));
    /** Our connectivity test: the answer on the tape is for Miredo's. */
    let ownTest: Uint8Array | null = null;
    const ours = (): Ip6 => {
      const { address } = client.status();
      if (address === null) throw new Error(JSON.stringify(client.discards));
      return address;
    };

    /** What came to Miredo, as it would have come to us. */
    function forUs(hex: string): Uint8Array {
      let bytes = bytesOf(hex);
      const kind = kindOf(bytes);
      if (kind.startsWith('advertisement')) {
        // Our nonce, and where we asked from; the checksum covers that.
        bytes.set(solicitation!.bytes.subarray(4, 12), 4);
        const packet = bytes.subarray(RA_HEADER);
        writeIp6(packet, 24, readIp6(solicitation!.bytes, 13 + 8));
        setChecksum(packet);
        return bytes;
      }
      bytes = replaceAddress(replaceAddress(bytes, tapeAddress, ours()), tapeLinkLocal, ours());
      if (kind !== 'echo reply' || !ownTest) return bytes;
      const asked = parseEcho(ownTest);
      if (!asked.ok) throw new Error(asked.reason);
      const { identifier, sequence, data } = asked.value;
      const [source, destination] = [readIp6(bytes, 8), readIp6(bytes, 24)];
      ownTest = null;
      return buildEcho({ reply: true, source, destination, identifier, sequence, data });
    }

    const log: string[] = [];
    const expected: string[] = [];
    const settle = (said: readonly Said[]): void => {
      for (const { kind, to, bytes } of said) {
        if (kind === 'echo request' && to === PRIMARY) ownTest = bytes;
        log.push(`${kind} to ${to}`);
      }
    };
    const programPackets = new Set<string>();
    for (const { at, from, to, hex } of clientTape.slice(1)) {
      const bytes = bytesOf(hex);
      if (!from.startsWith(OWN)) {
        settle(
          say({ kind: 'datagram', from: parseEndpoint(from) as Endpoint, bytes: forUs(hex) }, at),
        );
        continue;
      }
      const kind = kindOf(bytes);
      expected.push(`${kind} to ${to}`);
      // A packet of 104 bytes is a program's ping. It was sent when the path was first asked for, or now.
      if (bytes.length !== 104) {
        const next = clientTape.find(
          (each) => each.at >= at && each.from.startsWith(OWN) && each.hex.length === 208,
        )!;
        if (!programPackets.has(next.hex)) {
          programPackets.add(next.hex);
          settle(
            say(
              { kind: 'packet', bytes: replaceAddress(bytesOf(next.hex), tapeAddress, ours()) },
              at,
            ),
          );
        }
      } else if (!programPackets.has(hex)) {
        settle(say({ kind: 'packet', bytes: replaceAddress(bytes, tapeAddress, ours()) }, at));
      }
    }
    expect(expected).toHaveLength(10);
    expect(log).toEqual(expected);
  });
});
