// Module own/checks-relay declares the checks of the way to native IPv6 and of the relay that brings the answers. Pure.
import { formatEndpoint, formatIp4 } from '../../wire/index.ts';
import { bad, good, unknown } from '../doctor/check.ts';
import type { CheckOf, Finding } from '../doctor/check.ts';
import { say } from '../doctor/sayings.ts';
import { isSymmetricHere } from './checks-server.ts';
import type { NativeFacts, OwnFacts } from './facts.ts';

const NEEDS_SERVER = [
  'may-ask',
  'server-name',
  'server-public',
  'server-answers',
  'server-advertisement',
];

/** The ping that was answered: what was named comes first. */
export function answered({ native, witness }: OwnFacts): NativeFacts | null {
  return [native, witness].find((each) => each?.relay) ?? null;
}

function nativePing(facts: OwnFacts): Finding {
  const { native, witness } = facts;
  if (!native) return unknown(say('own-bubble-untried'));
  const { host, given, error, relay, firstMs } = native;
  if (error !== null) return unknown(say('own-ping-no-host', { error }), say('own-check-host'));
  if (relay) return good(say('own-ping-back', { host, ms: Math.round(firstMs ?? 0) }));
  if (!given) return unknown(say('own-ping-lost-default'), say('own-give-host'));
  if (witness?.relay)
    return bad(say('own-ping-lost-only', { host, other: witness.host }), say('own-route-back'));
  return isSymmetricHere(facts)
    ? unknown(say('own-ping-lost-symmetric', { host }), say('own-look-elsewhere'))
    : bad(say('own-ping-lost', { host }), say('own-native-way'));
}

function relayWhose(facts: OwnFacts): Finding {
  const by = answered(facts);
  if (!by?.relay) return unknown(say('own-relay-unseen'));
  const relay = formatEndpoint(by.relay);
  const { relay: own, server } = facts;
  if (own !== null)
    return by.relay.ip === own
      ? good(say('own-relay-is-yours', { relay }))
      : bad(
          say('own-relay-foreign', { relay, own: formatIp4(own), host: by.host }),
          say('own-lead-to-relay'),
        );
  return by.relay.ip === server
    ? good(say('own-relay-beside', { relay }))
    : unknown(say('own-relay-whose', { relay }), say('own-name-relay'));
}

export const RELAY_CHECKS: readonly CheckOf<OwnFacts>[] = [
  {
    code: 'native-ping',
    title: 'A ping to native IPv6 comes back',
    dependsOn: NEEDS_SERVER,
    judge: nativePing,
  },
  {
    code: 'relay-whose',
    title: 'Whose relay answered',
    dependsOn: NEEDS_SERVER,
    judge: relayWhose,
  },
  {
    code: 'relay-bubbles',
    title: 'The relay’s handshake',
    dependsOn: NEEDS_SERVER,
    judge: (facts) => {
      const by = answered(facts);
      if (!by) return unknown(say('own-relay-unseen'));
      return by.bubble
        ? good(say('own-relay-bubbled'))
        : bad(say('own-relay-no-bubble'), say('own-relay-current'));
    },
  },
  {
    code: 'relay-carries',
    title: 'The relay carries both ways',
    dependsOn: NEEDS_SERVER,
    judge: (facts) => {
      const by = answered(facts);
      if (!by) return unknown(say('own-relay-unseen'));
      return by.directMs === null
        ? bad(say('own-relay-one-way'), say('own-forward'))
        : good(say('own-relay-carries', { ms: Math.round(by.directMs) }));
    },
  },
];
