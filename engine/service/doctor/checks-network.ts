// Module doctor/checks-network declares the checks about the way to the servers and back: names, UDP, both answers, router. Pure.
import { formatIp4 } from '../../wire/index.ts';
import { bad, good, unknown } from './check.ts';
import type { Check, Finding } from './check.ts';
import type { Offer } from './facts.ts';
import {
  answering,
  endpointText,
  engineAnswered,
  isOwnRefusal,
  mappingOf,
  refusalText,
  serverText,
} from './readings.ts';

/** A server that was heard within this time and is silent now went silent just now, ms. */
const RECENT_MS = 24 * 3_600_000;
/** Refreshes that must have found the same mapping before its interval counts as one that holds. */
const REFRESHES = 3;
const OTHER_NETWORK =
  'Try another network, such as your phone’s, to see whether this one is to blame.';

export const NETWORK_CHECKS: readonly Check[] = [
  {
    code: 'dns',
    title: 'Names of the servers',
    dependsOn: ['routes'],
    needs: ['names'],
    judge: ({ names }) => {
      if (!names)
        return unknown(
          'The look-up did not end in time.',
          'Check the name service of this network.',
        );
      if (names.length === 0)
        return unknown('No server is set.', 'Name a server in the settings, or with --server.');
      const found = names.filter(({ addresses }) => addresses.length > 0);
      const lost = names.filter(({ addresses }) => addresses.length === 0);
      if (found.length === 0)
        return bad(
          lost.map(({ error }) => error).join(' '),
          'Check the server’s name, and the name service of this network.',
        );
      if (found.every(({ usable }) => usable.length === 0))
        return bad(
          `The names lead to ${[...new Set(found.flatMap((each) => each.addresses.map(formatIp4)))].join(' and ')}, where no public server can be.`,
          'Log in to this network first: open any web page; or check the server’s name.',
        );
      const list = found.map(({ name, addresses }) => {
        const text = addresses.map(formatIp4).join(' and ');
        return name === text ? text : `${name} is ${text}`;
      });
      const rest = lost.length > 0 ? ` Not found: ${lost.map(({ name }) => name).join(', ')}.` : '';
      return good(`${list.join('; ')}.${rest}`);
    },
  },
  {
    code: 'udp-out',
    title: 'UDP to the Internet',
    dependsOn: ['routes'],
    needs: ['udpOut', 'servers'],
    judge: (facts) => {
      const [server] = answering(facts);
      if (server) return good(`${serverText(server)} answers by UDP.`);
      if (engineAnswered(facts)) return good('The tunnel’s server answers by UDP.');
      const { udpOut } = facts;
      if (!udpOut) return unknown('It was not tried to its end.');
      if (udpOut.answered !== null)
        return good(`A name server (${udpOut.answered}) answers by UDP.`);
      if (udpOut.refused !== null)
        return bad(
          `UDP does not get out: ${refusalText(udpOut.refused)}.`,
          isOwnRefusal(udpOut.refused)
            ? 'Allow outgoing UDP in the firewall of this PC.'
            : 'Ask whoever runs this network to let UDP out, or use another network.',
        );
      if (udpOut.tcp)
        return bad(
          'TCP gets out and UDP does not: three name servers answer by TCP alone.',
          'Ask whoever runs this network to let UDP out, or use another network; where a page asks you to log in, do that first.',
        );
      return unknown(
        'Nobody answers, by TCP or by UDP.',
        'Check whether this network has Internet at all.',
      );
    },
  },
  {
    code: 'udp-3544',
    title: 'UDP to port 3544',
    dependsOn: ['routes', 'udp-out'],
    needs: ['servers', 'udpOut'],
    judge: (facts) => {
      const [server] = answering(facts);
      if (server) return good(`${serverText(server)} answers at port 3544.`);
      if (engineAnswered(facts)) return good('The tunnel’s server answers at port 3544.');
      const { servers, udpOut } = facts;
      if (!servers || servers.length === 0) return unknown('No server is known to ask.');
      const heard = servers.find((each) => each.keyRefused || each.refused === 'ECONNREFUSED');
      if (heard) return good(`${formatIp4(heard.server)} says something at port 3544.`);
      const refused = servers.find((each) => each.refused !== null);
      if (refused)
        return bad(
          `Port 3544 is refused: ${refusalText(refused.refused!)}.`,
          isOwnRefusal(refused.refused)
            ? 'Allow outgoing UDP to port 3544 in the firewall of this PC.'
            : 'Ask whoever runs this network to let UDP port 3544 out, or use another network.',
        );
      const recent = servers.filter(({ answeredAgoMs: ago }) => ago !== null && ago < RECENT_MS);
      if (recent.length >= 2 && recent.length === servers.length && udpOut?.answered != null)
        return bad(
          `${servers.length} servers that answered before are all silent now, while other UDP gets through.`,
          'Ask whoever runs this network to let UDP port 3544 out, or use another network.',
        );
      return unknown(
        'No server answers, which can’t be told from a network that drops UDP port 3544.',
        OTHER_NETWORK,
      );
    },
  },
  {
    code: 'primary',
    title: 'The server’s first address',
    dependsOn: ['routes', 'dns', 'udp-out', 'udp-3544'],
    needs: ['servers'],
    judge: (facts) => {
      const { servers, engine } = facts;
      const heard = (servers ?? []).filter(({ primary }) => primary.rttMs !== null);
      if (heard.length > 0)
        return good(
          `${heard.map((each) => `${serverText(each)} answers in ${Math.round(each.primary.rttMs!)} ms`).join('; ')}.`,
        );
      if (engineAnswered(facts)) return good(`${engine!.status.server} answers the tunnel.`);
      if (!servers || servers.length === 0) return unknown('No server is known to ask.');
      if (servers.some(({ keyRefused }) => keyRefused))
        return bad(
          'The server refuses our client id and key.',
          'Ask whoever runs it for a new key.',
        );
      if (servers.some(({ refused }) => refused === 'ECONNREFUSED'))
        return bad(
          'The machine says that no server runs there.',
          'Check the name or address; or have whoever runs it start it.',
        );
      if (servers.some(({ junk }) => junk))
        return bad(
          'Something other than a Teredo server answers in its place.',
          'Log in to this network first, or check the server’s name.',
        );
      return bad(
        `${servers.map(serverText).join(' and ')} did not answer.`,
        'Try another server (shipworm servers), or ask whoever runs this one.',
      );
    },
  },
  {
    code: 'secondary',
    title: 'The server’s second address',
    dependsOn: ['routes', 'dns', 'udp-out', 'udp-3544', 'primary'],
    needs: ['servers'],
    judge: (facts) => {
      const { servers, engine } = facts;
      const heard = (servers ?? []).filter(({ secondary }) => secondary.rttMs !== null);
      if (heard.length > 0)
        return good(
          `${heard.map((each) => `${formatIp4(each.server2)} answers in ${Math.round(each.secondary.rttMs!)} ms`).join('; ')}.`,
        );
      if (
        engine &&
        engineAnswered(facts) &&
        ['restricted', 'symmetric', 'cone'].includes(engine.status.nat)
      )
        return good('It answered the tunnel.');
      const asked = (servers ?? []).filter(({ server, server2 }) => server !== server2);
      if (asked.length === 0) return unknown('No second address is known to ask.');
      return bad(
        `${asked.map(({ server2 }) => formatIp4(server2)).join(' and ')} did not answer, so that the kind of router can’t be told.`,
        'Have whoever runs the server give it a second address; the tunnel works without.',
      );
    },
  },
  {
    code: 'nat',
    title: 'Kind of router (NAT)',
    dependsOn: ['routes', 'udp-out', 'udp-3544', 'primary'],
    needs: ['servers', 'network'],
    judge: (facts) => {
      const mapping = mappingOf(facts);
      const seen = endpointText(mapping);
      switch (mapping.nat) {
        case 'none':
          return good(`There is none: this PC has the public address ${seen}.`);
        case 'cone':
          return good(`Cone: everybody may write to ${seen}.`);
        case 'restricted':
          return good(`Restricted: one port for all, ${seen}; direct paths work.`);
        case 'symmetric':
          return bad(
            `Symmetric: another port for each destination (${seen} for the server).`,
            facts.mapping &&
              [facts.mapping.upnp, facts.mapping.natPmp, facts.mapping.pcp].some(
                (each) => each.offered,
              )
              ? 'Switch port mapping on: your router offers it.'
              : 'Switch UPnP, NAT-PMP or PCP on in your router, or choose "full cone" there.',
          );
        case 'unknown':
          return unknown(
            mapping.mapped
              ? `The server sees us as ${seen}; without its second address the kind can’t be told.`
              : 'No server has told how we appear.',
          );
      }
    },
  },
  {
    code: 'hairpin',
    title: 'Hairpin through the router',
    dependsOn: ['routes', 'udp-out', 'udp-3544', 'primary'],
    needs: ['hairpin'],
    judge: ({ hairpin }) => {
      if (hairpin === null) return unknown('It needs a server’s answer.');
      return hairpin
        ? good('What is sent to our own public address comes back.')
        : bad(
            'What is sent to our own public address does not come back: two PCs behind this router can’t meet that way.',
            'Nothing is needed for PCs elsewhere. For two PCs here, use their local addresses.',
          );
    },
  },
  {
    code: 'port-kept',
    title: 'Port kept by the router',
    dependsOn: ['routes', 'udp-out', 'udp-3544', 'primary'],
    needs: ['servers'],
    judge: (facts) => {
      const { mapped, localPort } = mappingOf(facts);
      if (!mapped || localPort === null) return unknown('No server has told how we appear.');
      return mapped.port === localPort
        ? good(`Port ${localPort} stays ${mapped.port} outside.`)
        : bad(
            `Port ${localPort} becomes ${mapped.port} outside.`,
            'Nothing is needed; a port mapping keeps it the same.',
          );
    },
  },
  {
    code: 'upnp',
    title: 'Router offers UPnP-IGD',
    dependsOn: ['routes'],
    needs: ['mapping'],
    judge: ({ mapping }) => offerOf(mapping?.upnp),
  },
  {
    code: 'nat-pmp',
    title: 'Router offers NAT-PMP',
    dependsOn: ['routes'],
    needs: ['mapping'],
    judge: ({ mapping }) => offerOf(mapping?.natPmp),
  },
  {
    code: 'pcp',
    title: 'Router offers PCP',
    dependsOn: ['routes'],
    needs: ['mapping'],
    judge: ({ mapping }) => offerOf(mapping?.pcp),
  },
  {
    code: 'refresh',
    title: 'Refresh interval that holds',
    dependsOn: ['routes', 'udp-out', 'udp-3544', 'primary'],
    needs: ['idle'],
    judge: ({ idle, engine }) => {
      if (idle)
        return idle.kept
          ? good(`An unused way was still open after ${Math.round(idle.ms / 1000)} s.`)
          : bad(
              `The router had closed an unused way within ${Math.round(idle.ms / 1000)} s.`,
              'Set "refresh" to a shorter time than that.',
            );
      const every = engine?.refreshSeconds ?? 0;
      const same = engine?.sameMappingMs ?? null;
      if (engine && same !== null && same >= REFRESHES * every * 1000)
        return good(
          `Refreshed every ${every} s, the mapping has been the same for ${Math.round(same / 60_000)} min.`,
        );
      return unknown('Not measured: that takes a minute.', 'Run: shipworm doctor --thorough');
    },
  },
];

function offerOf(offer: Offer | undefined): Finding {
  if (!offer || offer.offered === null) return unknown(offer?.text ?? 'Nobody was asked.');
  return offer.offered
    ? good(offer.text)
    : bad(offer.text, 'Needed only behind a symmetric router: switch it on there.');
}
