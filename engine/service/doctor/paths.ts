// Module doctor/paths tries what the network does to UDP: whether any gets out, whether the router turns it round, how long it keeps a way.
import type { ProbeHost } from '../../host/probe-types.ts';
import {
  buildBubble,
  buildDatagram,
  encodeTeredo,
  formatEndpoint,
  isBubble,
  parseDatagram,
  parseIp4,
  randomFlags,
  sameEndpoint,
  TEREDO_PORT,
} from '../../wire/index.ts';
import type { Endpoint } from '../../wire/index.ts';
import { open, repeated } from './solicit.ts';
import { qualifiedSocket } from './own-mapping.ts';
import type { ServerQuestion } from './solicit.ts';

const DNS_PORT = 53;
/** Root name servers a, k and m: they answer everybody, stand all over the world, and are no server of Teredo. */
const WITNESSES: readonly Endpoint[] = ['198.41.0.4', '193.0.14.129', '202.12.27.33'].map(
  (text) => ({ ip: parseIp4(text)!, port: DNS_PORT }),
);

/** What became of UDP to other ports than Teredo's. */
export interface UdpOut {
  /** Who answered, as `192.0.2.53:53`; null: nobody. */
  readonly answered: string | null;
  /** The system or the network refused: the name of the error. */
  readonly refused: string | null;
  /** The same hosts answer by TCP; null: that was not tried. */
  readonly tcp: boolean | null;
}

/** Asks the root name servers for the root, by UDP, and whether TCP reaches them. */
export async function tryUdpOut(host: ProbeHost, ms: number): Promise<UdpOut> {
  const [asked, tcp] = await Promise.all([
    Promise.all(WITNESSES.map((each) => askRoot(host, each, ms))),
    Promise.all(WITNESSES.map((each) => host.answersTcp(each, ms))),
  ]);
  const answered = WITNESSES.find((_, i) => asked[i] === 'answered');
  const errors = asked.filter((each) => each !== 'answered' && each !== 'silent');
  return {
    answered: answered ? formatEndpoint(answered) : null,
    refused: answered || errors.length < WITNESSES.length ? null : errors[0]!,
    tcp: tcp.every((each) => each === null) ? null : tcp.includes(true),
  };
}

/** `answered`, `silent`, or the name of an error. */
async function askRoot(host: ProbeHost, to: Endpoint, ms: number): Promise<string> {
  const id = host.random.bytes(2);
  // One question: the name servers (2) of the root (a name without labels), class IN (RFC 1035 §4.1).
  const query = Uint8Array.of(...id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1);
  let settle: (result: string) => void = () => undefined;
  const socket = await open(host, {
    connectTo: to,
    onDatagram: (from, bytes) => {
      const ours = bytes[0] === id[0] && bytes[1] === id[1] && (bytes[2]! & 0x80) !== 0;
      if (sameEndpoint(from, to) && ours) settle('answered');
    },
    onRefused: (error) => settle(error),
  });
  const result = await repeated<string>(
    host,
    ms,
    () => socket.send(to, query),
    (done) => (settle = done),
    () => 'silent',
  );
  socket.close();
  return result;
}

/** Does the router turn round what one socket here sends to the mapped address of another? Null: no server gave us one. */
export async function tryHairpin(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
): Promise<boolean | null> {
  const token = host.random.bytes(16);
  let settle: (heard: boolean) => void = () => undefined;
  const listener = (_: Endpoint, bytes: Uint8Array): void => {
    if (bytes.length === 16 && bytes.every((byte, i) => byte === token[i])) settle(true);
  };
  const [one, two] = await Promise.all([
    qualifiedSocket(host, question, ms, () => undefined),
    qualifiedSocket(host, question, ms, listener),
  ]);
  try {
    if (!one.mapped || !two.mapped) return null;
    const [from, to] = [one.mapped, two.mapped];
    return await repeated<boolean>(
      host,
      ms,
      () => {
        // The other way, too: many a router lets in only whom was written to.
        two.socket.send(from, Uint8Array.of(0));
        one.socket.send(to, token);
      },
      (done) => (settle = done),
      () => false,
    );
  } finally {
    one.socket.close();
    two.socket.close();
  }
}

/**
 * Does a way through the router that nothing uses live for `idleMs`? One socket is quiet for so long; then another has the server
 * send it a bubble (RFC 4380 §5.2.7 tests likewise). Null: could not be tried.
 */
export async function tryIdle(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
  idleMs: number,
): Promise<boolean | null> {
  let settle: (heard: boolean) => void = () => undefined;
  let armed = false;
  const quiet = await qualifiedSocket(host, question, ms, (from, bytes) => {
    const parsed = parseDatagram(bytes);
    if (armed && from.port === TEREDO_PORT && parsed.ok && isBubble(parsed.value.header))
      settle(true);
  });
  if (!quiet.mapped) {
    quiet.socket.close();
    return null;
  }
  await new Promise<void>((resolve) => host.after(idleMs, resolve));
  const asking = await qualifiedSocket(host, question, ms, () => undefined);
  try {
    if (!asking.mapped) return null;
    const address = (client: Endpoint): bigint =>
      encodeTeredo({ server: question.server, flags: randomFlags(host.random), client });
    const packet = buildBubble(address(asking.mapped), address(quiet.mapped));
    const bubble = buildDatagram({ packet });
    armed = true;
    return await repeated<boolean>(
      host,
      ms,
      () => asking.socket.send({ ip: question.server, port: TEREDO_PORT }, bubble),
      (done) => (settle = done),
      () => false,
    );
  } finally {
    quiet.socket.close();
    asking.socket.close();
  }
}
