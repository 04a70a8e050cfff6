// Module doctor/own-mapping opens a socket and learns from a server how the router makes it appear.
import type { ProbeHost, ProbeSocket } from '../../host/probe-types.ts';
import { parseDatagram } from '../../wire/index.ts';
import type { Endpoint } from '../../wire/index.ts';
import { open, qualification, repeated } from './solicit.ts';
import type { ServerQuestion } from './solicit.ts';

/** A socket, and where the server saw it; null: no answer within the time. It belongs to the receiver. */
export async function qualifiedSocket(
  host: ProbeHost,
  question: ServerQuestion,
  ms: number,
  onDatagram: (from: Endpoint, bytes: Uint8Array) => void,
): Promise<{ readonly socket: ProbeSocket; readonly mapped: Endpoint | null }> {
  const asking = qualification(host, question);
  let settle: (mapped: Endpoint) => void = () => undefined;
  const socket = await open(host, {
    onDatagram: (from, bytes) => {
      const parsed = parseDatagram(bytes);
      const judgement =
        parsed.ok && asking.isServer(from) ? asking.judge(from, parsed.value, host.now()) : null;
      if (judgement?.kind === 'valid') settle(judgement.advertisement.origin);
      else onDatagram(from, bytes);
    },
  });
  const mapped = await repeated<Endpoint | null>(
    host,
    ms,
    () => {
      asking.startPrimary(host.now(), false);
      for (const { to, bytes } of asking.solicitations(host.now())) socket.send(to, bytes);
    },
    (done) => (settle = done),
    () => null,
  );
  return { socket, mapped };
}
