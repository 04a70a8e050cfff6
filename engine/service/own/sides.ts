// Module own/sides asks both addresses of a server by one socket, and reads all that they say, right or wrong.
import type { ProbeHost } from '../../host/probe-types.ts';
import { TEREDO_PORT } from '../../wire/index.ts';
import type { Endpoint, Ip4 } from '../../wire/index.ts';
import { open, repeated } from '../doctor/solicit.ts';
import type { ServerQuestion } from '../doctor/solicit.ts';
import { question, readAnswer } from '../doctor/solicitation.ts';
import type { Question } from '../doctor/solicitation.ts';
import type { SideFacts } from './facts.ts';

export interface Sides {
  readonly primary: SideFacts;
  readonly secondary: SideFacts;
  /** Who answered the question that wants the other address; null: nobody; undefined: it was not asked. */
  readonly coneFrom: Ip4 | null | undefined;
}

const SILENT: SideFacts = { reading: null, rttMs: null, junk: false };

/** One address, and what was asked of it when. */
interface Side {
  readonly ip: Ip4;
  asked: { readonly question: Question; readonly at: number }[];
  facts: SideFacts;
}

/**
 * Asks both addresses within `ms`, then by the same socket for an answer from the other address (RFC 4380 §5.3.2): a router that
 * lets in only whom one wrote to lets that in, for both were written to. `refused`: what the network
 * said against it, after which the first address is waited for no more. Never rejects.
 */
export async function askSides(
  host: ProbeHost,
  { server, server2, credentials }: ServerQuestion,
  ms: number,
  refused: Promise<string | null>,
): Promise<Sides> {
  const sides: Side[] = [server, server2].map((ip) => ({ ip, asked: [], facts: SILENT }));
  const [primary, secondary] = sides as [Side, Side];
  const other = question(host.random, credentials, true);
  let coneFrom: Ip4 | null = null;
  let settle: () => void = () => undefined;
  const socket = await open(host, {
    onDatagram: (from, bytes) => {
      if (from.port !== TEREDO_PORT) return;
      const cone = readAnswer([other], credentials, bytes);
      if (cone?.to) coneFrom = from.ip;
      else take(sides, from, bytes);
      settle();
    },
  });
  const isDone = ({ facts }: Side): boolean => facts.reading?.fault === null;
  const take = (all: readonly Side[], from: Endpoint, bytes: Uint8Array): void => {
    const side = all.find(({ ip }) => ip === from.ip);
    // A wrong answer does not take the place of a right one.
    if (!side || side.asked.length === 0 || isDone(side)) return;
    const questions = side.asked.map((each) => each.question);
    const answer = readAnswer(questions, credentials, bytes);
    if (!answer) {
      side.facts = { ...side.facts, junk: true };
      return;
    }
    const at = side.asked.find((each) => each.question === answer.to)?.at;
    const rttMs = at === undefined ? null : host.now() - at;
    side.facts = { ...side.facts, reading: answer.reading, rttMs };
  };
  const ask = (): void => {
    for (const side of sides) {
      if (isDone(side)) continue;
      const asked = question(host.random, credentials);
      side.asked.push({ question: asked, at: host.now() });
      socket.send({ ip: side.ip, port: TEREDO_PORT }, asked.bytes);
    }
  };
  await repeated<boolean>(
    host,
    ms,
    ask,
    (done) => {
      settle = () => sides.every(isDone) && done(true);
      void refused.then((error) => error !== null && !isDone(primary) && done(false));
    },
    () => false,
  );
  const wantsCone = primary.facts.reading !== null && secondary.facts.reading !== null;
  if (wantsCone)
    await repeated<boolean>(
      host,
      ms,
      () => socket.send({ ip: server, port: TEREDO_PORT }, other.bytes),
      (done) => (settle = () => coneFrom !== null && done(true)),
      () => false,
    );
  socket.close();
  return {
    primary: primary.facts,
    secondary: secondary.facts,
    coneFrom: wantsCone ? coneFrom : undefined,
  };
}
