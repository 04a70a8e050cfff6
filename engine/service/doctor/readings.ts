// Module doctor/readings draws from the facts what several checks need: who answered, how the router maps, whether UDP is refused.
import { formatEndpoint, formatIp4, parseEndpoint, sameEndpoint } from '../../wire/index.ts';
import type { Facts, Mapping, ServerFacts } from './facts.ts';
import { say } from './sayings.ts';
import type { Saying, SayingCode } from './sayings.ts';

/** Errors by which a system or network refuses a datagram, in words. */
const REFUSALS: Readonly<Record<string, SayingCode>> = {
  EPERM: 'refused-here',
  EACCES: 'refused-here',
  ENETUNREACH: 'refused-no-way',
  EHOSTUNREACH: 'refused-by-router',
  ECONNREFUSED: 'refused-at-end',
};
/** Refusals that come from this very PC. */
const OWN_REFUSALS = ['EPERM', 'EACCES'];

export const refusalOf = (error: string): Saying => {
  const code = REFUSALS[error];
  return code === undefined ? say('refused-otherwise', { error }) : say(code);
};
export const isOwnRefusal = (error: string | null): boolean =>
  error !== null && OWN_REFUSALS.includes(error);

/** The tunnel's own server answers it just now. */
export function engineAnswered({ engine }: Facts): boolean {
  return engine?.status.state === 'qualified' && engine.status.reason.code !== 'server-silent';
}

export function answering({ servers }: Facts): readonly ServerFacts[] {
  return (servers ?? []).filter(({ primary, secondary }) => primary.rttMs ?? secondary.rttMs);
}

/** All servers that were asked are silent. */
export function allSilent(facts: Facts): boolean {
  return facts.servers !== null && facts.servers.length > 0 && answering(facts).length === 0;
}

export const serverText = ({ name, server }: ServerFacts): string =>
  name === formatIp4(server) ? name : `${name} (${formatIp4(server)})`;

/** How the router makes us appear: the tunnel's own word first. */
export function mappingOf(facts: Facts): Mapping {
  const { engine, network } = facts;
  const cone = answering(facts).some((each) => each.cone === true);
  if (engine && engine.status.mapped !== null && engine.status.nat !== 'unknown')
    return {
      // The tunnel does not look for a cone; whom a router lets in does not depend on the socket.
      nat: engine.status.nat === 'restricted' && cone ? 'cone' : engine.status.nat,
      mapped: parseEndpoint(engine.status.mapped) ?? null,
      localPort: engine.localPort,
      own: true,
    };
  const asked = answering(facts).find(({ primary }) => primary.origin);
  if (!asked) return { nat: 'unknown', mapped: null, localPort: null, own: false };
  const { primary, secondary, localPort } = asked;
  const mapped = primary.origin!;
  const found = { mapped, localPort, own: false };
  if (network?.addresses.includes(mapped.ip)) return { ...found, nat: 'none' };
  if (!secondary.origin) return { ...found, nat: 'unknown' };
  if (!sameEndpoint(mapped, secondary.origin)) return { ...found, nat: 'symmetric' };
  return { ...found, nat: cone ? 'cone' : 'restricted' };
}

export const endpointText = (mapping: Mapping): string =>
  mapping.mapped ? formatEndpoint(mapping.mapped) : 'unknown';
