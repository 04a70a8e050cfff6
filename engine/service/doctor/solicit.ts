// Module doctor/solicit asks Teredo servers by real solicitations from sockets of its own, and says what came back.
import { clientConfig } from '../../client/config.ts';
import { Qualification } from '../../client/qualification.ts';
import type { ProbeHost, ProbeSocket } from '../../host/probe-types.ts';
import { parseDatagram, TEREDO_PORT } from '../../wire/index.ts';
import type { Endpoint, Ip4 } from '../../wire/index.ts';
import { keyOf, question, readAnswer } from './solicitation.ts';
import type { Credentials } from './solicitation.ts';

/** What a server is asked with. */
export interface ServerQuestion {
  readonly server: Ip4;
  readonly server2: Ip4;
  readonly allowPrivate: boolean;
  readonly credentials: Credentials | null;
}

/** What one address of a server did. */
export interface Answer {
  /** A valid advertisement came, after so long; null: none did. */
  readonly rttMs: number | null;
  /** Where the server saw us. */
  readonly origin: Endpoint | null;
}

export interface ServerAnswers {
  readonly server: Ip4;
  readonly server2: Ip4;
  readonly primary: Answer;
  readonly secondary: Answer;
  /** It refuses the client id and key, or wants some. */
  readonly keyRefused: boolean;
  /** Something that is no advertisement came from its address. */
  readonly junk: boolean;
  /** The network or this system refused what was sent to the primary address: the name of the error. */
  readonly refused: string | null;
  /** An answer came from the address that nobody had written to: a cone NAT. Null: the server was not asked for it. */
  readonly cone: boolean | null;
  /** Local port that the questions left from; 0: no socket could be had. */
  readonly localPort: number;
}

/** A question is repeated after each third of its time. */
const TRIES = 3;
const NOBODY: Answer = { rttMs: null, origin: null };

/**
 * Asks both addresses of a server, and whether it reaches us from an address that we did not write to, within `ms`. Ends as soon
 * as all is known. Never rejects.
 */
export async function askServer(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
  wantsCone = false,
): Promise<ServerAnswers> {
  const { server, server2 } = question;
  const [views, refused, cone] = await Promise.all([
    askBoth(host, question, ms),
    askConnected(host, question, ms),
    wantsCone && server !== server2 ? askCone(host, question, ms) : null,
  ]);
  // A refusal heard beside an answer was about something else.
  return {
    server,
    server2,
    ...views,
    refused: views.primary.rttMs === null ? refused : null,
    cone,
  };
}

/** The asking side of the client, for one server. */
export function qualification(host: ProbeHost, question: ServerQuestion): Qualification {
  const { server, server2, allowPrivate, credentials } = question;
  const config = clientConfig({
    ...{ server, server2, allowPrivate },
    ...(credentials && { credentials: keyOf(credentials) }),
  });
  return new Qualification(config, host.random);
}

/** Runs `send` at once and again until `done` settles or `ms` are over. */
export function repeated<T>(
  host: Pick<ProbeHost, 'after'>,
  ms: number,
  send: () => void,
  begin: (done: (value: T) => void) => void,
  otherwise: () => T,
): Promise<T> {
  return new Promise((resolve) => {
    const cancels: (() => void)[] = [];
    const done = (value: T): void => {
      cancels.forEach((cancel) => cancel());
      resolve(value);
    };
    begin(done);
    for (let i = 1; i < TRIES; i++) cancels.push(host.after((ms * i) / TRIES, send));
    cancels.push(host.after(ms, () => done(otherwise())));
    send();
  });
}

/** What `work` comes to; null when it is not there in time, or failed. */
export function within<T>(
  host: Pick<ProbeHost, 'after'>,
  ms: number,
  work: Promise<T>,
): Promise<T | null> {
  return new Promise((resolve) => {
    const cancel = host.after(ms, () => resolve(null));
    const end = (value: T | null): void => {
      cancel();
      resolve(value);
    };
    work.then(end, () => end(null));
  });
}

type Views = Pick<ServerAnswers, 'primary' | 'secondary' | 'keyRefused' | 'junk' | 'localPort'>;

/** Both addresses from one socket: two views of one mapping. */
async function askBoth(host: ProbeHost, question: ServerQuestion, ms: number): Promise<Views> {
  const asking = qualification(host, question);
  const answers = { primary: NOBODY, secondary: NOBODY };
  let keyRefused = false;
  let junk = false;
  let settle: (views: Views) => void = () => undefined;
  const views = (): Views => ({ ...answers, keyRefused, junk, localPort: socket.port });
  const only = question.server === question.server2;
  const onDatagram = (from: Endpoint, bytes: Uint8Array): void => {
    if (!asking.isServer(from)) return;
    const parsed = parseDatagram(bytes);
    const judgement = parsed.ok ? asking.judge(from, parsed.value, host.now()) : null;
    if (judgement?.kind === 'keyRefused') keyRefused = true;
    else if (judgement?.kind !== 'valid') junk = true;
    else {
      const { role, rttMs, origin } = judgement.advertisement;
      answers[role] = { rttMs, origin };
    }
    const { primary, secondary } = answers;
    if (keyRefused || (primary.rttMs !== null && (only || secondary.rttMs !== null)))
      settle(views());
  };
  const socket = await open(host, { onDatagram });
  const result = await repeated<Views>(
    host,
    ms,
    () => {
      const now = host.now();
      if (answers.primary.rttMs === null) asking.startPrimary(now, false);
      if (answers.secondary.rttMs === null) asking.startSecondary(now);
      for (const { to, bytes } of asking.solicitations(now)) socket.send(to, bytes);
    },
    (done) => (settle = done),
    views,
  );
  socket.close();
  return result;
}

/** One question from a connected socket, which alone is told what the network refuses. */
export async function askConnected(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
): Promise<string | null> {
  const to = { ip: question.server, port: TEREDO_PORT };
  const asking = qualification(host, question);
  let settle: (refused: string | null) => void = () => undefined;
  const socket = await open(host, {
    connectTo: to,
    onDatagram: () => settle(null),
    onRefused: (error) => settle(error),
  });
  const refused = await repeated<string | null>(
    host,
    ms,
    () => {
      asking.startPrimary(host.now(), false);
      for (const each of asking.solicitations(host.now())) socket.send(each.to, each.bytes);
    },
    (done) => (settle = done),
    () => null,
  );
  socket.close();
  return refused;
}

/** A solicitation with the cone bit is answered from the server's other address (RFC 4380 §5.2.1). */
async function askCone(host: ProbeHost, asked: ServerQuestion, ms: number): Promise<boolean> {
  const { server, server2, credentials } = asked;
  const cone = question(host.random, credentials, true);
  let settle: (cone: boolean) => void = () => undefined;
  const socket = await open(host, {
    onDatagram: (from, bytes) => {
      if (from.ip !== server2 || from.port !== TEREDO_PORT) return;
      const answer = readAnswer([cone], credentials, bytes);
      if (answer?.to === cone && answer.reading.fault === null) settle(true);
    },
  });
  const heard = await repeated<boolean>(
    host,
    ms,
    () => socket.send({ ip: server, port: TEREDO_PORT }, cone.bytes),
    (done) => (settle = done),
    () => false,
  );
  socket.close();
  return heard;
}

/** A socket; where none can be had, one that is silent, its failure told as a refusal. */
export async function open(
  host: ProbeHost,
  options: Parameters<ProbeHost['openProbe']>[0],
): Promise<ProbeSocket> {
  try {
    return await host.openProbe(options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    queueMicrotask(() => options.onRefused?.(code ?? 'EIO'));
    return { port: 0, send: () => undefined, close: () => undefined };
  }
}
