// Module own/checks-server declares the checks of one's own server as it is seen from outside. Pure.
import {
  formatEndpoint,
  formatIp4,
  formatIp6,
  isReachableEndpoint,
  sameEndpoint,
  TEREDO_MTU,
  teredoPrefix,
} from '../../wire/index.ts';
import type { Ip4 } from '../../wire/index.ts';
import { bad, good, unknown } from '../doctor/check.ts';
import type { CheckOf, Finding } from '../doctor/check.ts';
import { judgeManaged } from '../doctor/checks-machine.ts';
import { refusalOf } from '../doctor/readings.ts';
import { say } from '../doctor/sayings.ts';
import type { AnswerFault } from '../doctor/solicitation.ts';
import type { OwnFacts } from './facts.ts';

/** The largest packet that fits a link of 1500 bytes beside IPv4 (20) and UDP (8). */
const LARGEST_MTU = 1472;
const NEEDS_ANSWER = ['may-ask', 'server-name', 'server-public', 'server-answers'];

/** What is known only once the server has answered. */
const addressOf = ({ server }: OwnFacts): string => formatIp4(server ?? 0);
const ms = (value: number | null): number => Math.round(value ?? 0);

/** Its two answers name two places: a symmetric router here. */
export function isSymmetricHere({ primary, secondary }: OwnFacts): boolean {
  const [first, second] = [primary?.reading?.origin, secondary?.reading?.origin];
  return !!first && !!second && !sameEndpoint(first, second);
}

const isRight = (facts: OwnFacts): boolean => facts.primary?.reading?.fault === null;

function silence(facts: OwnFacts): Finding {
  const { refused, udpOut, primary, ipv4 } = facts;
  const address = addressOf(facts);
  if (ipv4 === false) return unknown(say('own-silent-here'), say('own-join-network'));
  if (primary?.junk) return bad(say('own-other-voice', { address }), say('own-other-program'));
  if (refused === 'ECONNREFUSED')
    return bad(
      say('own-refused', { address, refusal: refusalOf(refused) }),
      say('own-start-server'),
    );
  if (refused !== null)
    return unknown(
      say('own-refused', { address, refusal: refusalOf(refused) }),
      say('own-mend-here'),
    );
  if (udpOut && udpOut.answered !== null)
    return bad(say('own-silent', { address }), say('own-open-3544'));
  return unknown(say('own-silent-all', { address }), say('own-mend-here'));
}

/** What is wrong with the form of an advertisement, and what to do. */
const FAULTS: Readonly<Record<AnswerFault, (facts: OwnFacts) => Finding>> = {
  'no-nonce': () => bad(say('own-no-nonce'), say('own-mend-server')),
  'other-nonce': () => bad(say('own-other-nonce'), say('own-mend-server')),
  'bad-signature': () => bad(say('own-bad-signature'), say('own-same-key')),
  malformed: ({ primary }) =>
    bad(
      say('own-malformed', { reason: primary?.reading?.malformed ?? '' }),
      say('own-mend-server'),
    ),
  'other-receiver': () => bad(say('own-other-receiver'), say('own-mend-server')),
  'no-origin': () => bad(say('own-no-origin'), say('own-mend-server')),
};

function advertisement(facts: OwnFacts): Finding {
  const reading = facts.primary?.reading;
  if (!reading) return unknown(say('own-no-address'));
  if (reading.keyRefused) return unknown(say('own-wants-key'), say('own-give-key'));
  if (reading.fault !== null) return FAULTS[reading.fault](facts);
  const { prefix, mtu } = reading;
  const origin = reading.origin!;
  const expected = teredoPrefix(facts.server!);
  const texts = { prefix: `${formatIp6(prefix!)}/64`, expected: `${formatIp6(expected)}/64` };
  if (prefix !== expected)
    return bad(
      say('own-other-prefix', texts),
      say('own-set-primary', { address: addressOf(facts) }),
    );
  const reach = { allowPrivate: facts.allowPrivate, broadcasts: [] };
  if (!isReachableEndpoint(origin, reach))
    return bad(
      say('own-private-origin', { origin: formatEndpoint(origin) }),
      say('own-server-inside'),
    );
  if (mtu !== null && (mtu < TEREDO_MTU || mtu > LARGEST_MTU))
    return bad(say('own-odd-mtu', { mtu: String(mtu) }), say('own-mend-server'));
  return good(
    say('own-advertised', {
      prefix: texts.prefix,
      origin: formatEndpoint(origin),
      mtu: mtu === null ? say('own-mtu-unsaid') : say('own-mtu-said', { mtu: String(mtu) }),
    }),
  );
}

function secondAddress({ secondary, server2 }: OwnFacts): Finding {
  if (!secondary || server2 === null) return unknown(say('own-no-address'));
  const address = formatIp4(server2);
  const { reading, junk } = secondary;
  if (!reading)
    return bad(
      say(junk ? 'own-second-wrong' : 'own-second-silent', { address }),
      say('own-give-second'),
    );
  if (reading.keyRefused) return unknown(say('own-wants-key'), say('own-give-key'));
  return reading.fault === null
    ? good(say('own-second-answered', { address, ms: ms(secondary.rttMs) }))
    : bad(say('own-second-wrong', { address }), say('own-both-one-program'));
}

function coneAnswer(facts: OwnFacts): Finding {
  const { coneFrom, server, server2 } = facts;
  if (coneFrom === undefined) return unknown(say('own-cone-untried'));
  if (coneFrom === null)
    return isSymmetricHere(facts)
      ? unknown(say('own-cone-silent-symmetric'), say('own-look-elsewhere'))
      : bad(say('own-cone-silent'), say('own-both-one-program'));
  const address = formatIp4(coneFrom);
  return coneFrom === server2 && coneFrom !== server
    ? good(say('own-cone-answered', { address }))
    : bad(say('own-cone-same', { address }), say('own-both-one-program'));
}

function bubbles({ bubbles: seen }: OwnFacts): Finding {
  if (!seen) return unknown(say('own-bubble-untried'));
  const { origin, sender } = seen;
  if (origin === undefined) return bad(say('own-bubble-lost'), say('own-let-out'));
  if (origin === null) return bad(say('own-bubble-no-origin'), say('own-mend-server'));
  const names = { origin: formatEndpoint(origin), sender: formatEndpoint(sender) };
  return sameEndpoint(origin, sender)
    ? good(say('own-bubbled'))
    : bad(say('own-bubble-other-origin', names), say('own-mend-server'));
}

function refuses({ bubbles: seen }: OwnFacts): Finding {
  if (!seen || (seen.origin === undefined && !seen.data && !seen.forged))
    return unknown(say('own-refuses-untold'));
  const { data, forged } = seen;
  if (!data && !forged) return good(say('own-refuses'));
  const what = data && forged ? 'own-passes-both' : data ? 'own-passes-data' : 'own-passes-forged';
  return bad(say(what), say('own-run-current'));
}

export const SERVER_CHECKS: readonly CheckOf<OwnFacts>[] = [
  {
    code: 'may-ask',
    title: 'This PC may look',
    dependsOn: [],
    judge: ({ managed }) => judgeManaged(managed),
  },
  {
    code: 'server-name',
    title: 'The server’s name',
    dependsOn: ['may-ask'],
    judge: ({ name, ipv4 }) => {
      if (ipv4 === false) return unknown(say('own-silent-here'), say('own-join-network'));
      if (!name) return unknown(say('own-name-later'), say('check-name-service'));
      if (name.error !== null)
        return bad(say('own-name-lost', { error: name.error }), say('own-mend-name'));
      const addresses = name.addresses.map(formatIp4);
      return addresses.length === 1 && addresses[0] === name.name
        ? good(say('own-name-is-address', { address: name.name }))
        : good(say('own-name-found', { name: name.name, addresses }));
    },
  },
  {
    code: 'server-public',
    title: 'Public IPv4 address',
    dependsOn: ['may-ask', 'server-name'],
    judge: ({ name, server, allowPrivate }) => {
      const first: Ip4 | undefined = name?.addresses[0];
      if (first === undefined) return unknown(say('own-no-address'));
      if (server === null)
        return bad(
          say('own-private', { address: formatIp4(first) }),
          say(name?.name === formatIp4(first) ? 'own-use-public' : 'own-log-in-or-mend'),
        );
      const address = formatIp4(server);
      return good(say(allowPrivate ? 'own-lab-address' : 'own-public', { address }));
    },
  },
  {
    code: 'server-answers',
    title: 'The first address answers',
    dependsOn: ['may-ask', 'server-name', 'server-public'],
    judge: (facts) => {
      const { primary, server } = facts;
      if (!primary || server === null) return unknown(say('own-no-address'));
      if (!primary.reading) return silence(facts);
      const address = formatIp4(server);
      return isRight(facts)
        ? good(say('own-answered', { address, ms: ms(primary.rttMs) }))
        : good(say('own-answered-wrong', { address }));
    },
  },
  {
    code: 'server-advertisement',
    title: 'What it answers',
    dependsOn: NEEDS_ANSWER,
    judge: advertisement,
  },
  {
    code: 'second-address',
    title: 'The second address answers',
    dependsOn: NEEDS_ANSWER,
    judge: secondAddress,
  },
  {
    code: 'cone-answer',
    title: 'Answers from the other address',
    dependsOn: [...NEEDS_ANSWER, 'second-address'],
    judge: coneAnswer,
  },
  {
    code: 'same-mapping',
    title: 'Both see the same of this PC',
    dependsOn: [...NEEDS_ANSWER, 'second-address'],
    judge: (facts) => {
      const [first, second] = [facts.primary?.reading?.origin, facts.secondary?.reading?.origin];
      if (!first || !second) return unknown(say('own-one-view'));
      if (!isSymmetricHere(facts))
        return good(say('own-same-mapping', { origin: formatEndpoint(first) }));
      const places = { first: formatEndpoint(first), second: formatEndpoint(second) };
      return unknown(say('own-symmetric-here', places), say('own-look-elsewhere'));
    },
  },
  {
    code: 'server-bubbles',
    title: 'Passes bubbles on',
    dependsOn: [...NEEDS_ANSWER, 'server-advertisement'],
    judge: bubbles,
  },
  {
    code: 'server-refuses',
    title: 'Refuses what it must',
    dependsOn: [...NEEDS_ANSWER, 'server-advertisement', 'server-bubbles'],
    judge: refuses,
  },
];
