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
  refusalOf,
  serverText,
} from './readings.ts';
import { say } from './sayings.ts';

/** A server that was heard within this time and is silent now went silent just now, ms. */
const RECENT_MS = 24 * 3_600_000;
/** Refreshes that must have found the same mapping before its interval counts as one that holds. */
const REFRESHES = 3;

export const NETWORK_CHECKS: readonly Check[] = [
  {
    code: 'dns',
    title: 'Names of the servers',
    dependsOn: ['routes'],
    needs: ['names'],
    judge: ({ names }) => {
      if (!names) return unknown(say('names-late'), say('check-name-service'));
      if (names.length === 0) return unknown(say('no-server-set'), say('name-a-server'));
      const found = names.filter(({ addresses }) => addresses.length > 0);
      const lost = names.filter(({ addresses }) => addresses.length === 0);
      if (found.length === 0)
        return bad(
          say('names-lost', { errors: lost.map(({ error }) => error).join(' ') }),
          say('check-name'),
        );
      if (found.every(({ usable }) => usable.length === 0))
        return bad(
          say('names-nowhere', {
            addresses: [...new Set(found.flatMap((each) => each.addresses.map(formatIp4)))],
          }),
          say('log-in-or-check'),
        );
      const names4 = found.map(({ name, addresses: all }) => {
        const addresses = all.map(formatIp4);
        return name === addresses.join() ? name : say('name-is', { name, addresses });
      });
      const rest = lost.map(({ name }) => name);
      return good(
        say('names-found', { names: names4 }),
        ...(rest.length > 0 ? [say('not-found-too', { names: rest })] : []),
      );
    },
  },
  {
    code: 'udp-out',
    title: 'UDP to the Internet',
    dependsOn: ['routes'],
    needs: ['udpOut', 'servers'],
    judge: (facts) => {
      const [server] = answering(facts);
      if (server) return good(say('server-by-udp', { server: serverText(server) }));
      if (engineAnswered(facts)) return good(say('tunnel-by-udp'));
      const { udpOut } = facts;
      if (!udpOut) return unknown(say('not-tried-to-end'));
      if (udpOut.answered !== null)
        return good(say('name-server-by-udp', { server: udpOut.answered }));
      if (udpOut.refused !== null)
        return bad(
          say('udp-refused', { refusal: refusalOf(udpOut.refused) }),
          say(isOwnRefusal(udpOut.refused) ? 'allow-udp' : 'ask-for-udp'),
        );
      if (udpOut.tcp) return bad(say('tcp-alone'), say('ask-for-udp-or-log-in'));
      return unknown(say('nobody-answers'), say('check-internet'));
    },
  },
  {
    code: 'udp-3544',
    title: 'UDP to port 3544',
    dependsOn: ['routes', 'udp-out'],
    needs: ['servers', 'udpOut'],
    judge: (facts) => {
      const [server] = answering(facts);
      if (server) return good(say('server-at-3544', { server: serverText(server) }));
      if (engineAnswered(facts)) return good(say('tunnel-at-3544'));
      const { servers, udpOut } = facts;
      if (!servers || servers.length === 0) return unknown(say('no-server-known'));
      const heard = servers.find((each) => each.keyRefused || each.refused === 'ECONNREFUSED');
      if (heard) return good(say('something-at-3544', { server: formatIp4(heard.server) }));
      const refused = servers.find((each) => each.refused !== null);
      if (refused)
        return bad(
          say('refused-at-3544', { refusal: refusalOf(refused.refused!) }),
          say(isOwnRefusal(refused.refused) ? 'allow-3544' : 'ask-for-3544'),
        );
      const recent = servers.filter(({ answeredAgoMs: ago }) => ago !== null && ago < RECENT_MS);
      if (recent.length >= 2 && recent.length === servers.length && udpOut?.answered != null)
        return bad(say('silent-together', { number: servers.length }), say('ask-for-3544'));
      return unknown(say('silent-or-dropped'), say('try-another-network'));
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
          say('servers-answer', {
            servers: heard.map((each) =>
              say('answers-in', { server: serverText(each), ms: Math.round(each.primary.rttMs!) }),
            ),
          }),
        );
      if (engineAnswered(facts))
        return good(say('answers-tunnel', { server: engine!.status.server ?? '' }));
      if (!servers || servers.length === 0) return unknown(say('no-server-known'));
      if (servers.some(({ keyRefused }) => keyRefused))
        return bad(say('key-refused'), say('ask-for-key'));
      if (servers.some(({ refused }) => refused === 'ECONNREFUSED'))
        return bad(say('no-server-there'), say('check-or-start'));
      if (servers.some(({ junk }) => junk)) return bad(say('junk-answers'), say('log-in-first'));
      return bad(
        say('servers-silent', { servers: servers.map(serverText) }),
        say('try-another-server'),
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
          say('servers-answer', {
            servers: heard.map(({ server2, secondary }) =>
              say('answers-in', { server: formatIp4(server2), ms: Math.round(secondary.rttMs!) }),
            ),
          }),
        );
      if (
        engine &&
        engineAnswered(facts) &&
        ['restricted', 'symmetric', 'cone'].includes(engine.status.nat)
      )
        return good(say('second-answered'));
      const asked = (servers ?? []).filter(({ server, server2 }) => server !== server2);
      if (asked.length === 0) return unknown(say('no-second'));
      return bad(
        say('second-silent', { servers: asked.map(({ server2 }) => formatIp4(server2)) }),
        say('give-second'),
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
      const endpoint = endpointText(mapping);
      switch (mapping.nat) {
        case 'none':
          return good(say('nat-none', { endpoint }));
        case 'cone':
          return good(say('nat-cone', { endpoint }));
        case 'restricted':
          return good(say('nat-restricted', { endpoint }));
        case 'symmetric':
          return bad(
            say('nat-symmetric', { endpoint }),
            facts.mapping &&
              [facts.mapping.upnp, facts.mapping.natPmp, facts.mapping.pcp].some(
                (each) => each.offered,
              )
              ? say('switch-mapping-on')
              : say('switch-router-on'),
          );
        case 'unknown':
          return unknown(
            mapping.mapped ? say('nat-untold', { endpoint }) : say('appearance-untold'),
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
      if (hairpin === null) return unknown(say('hairpin-untried'));
      return hairpin
        ? good(say('hairpin-works'))
        : bad(say('hairpin-fails'), say('hairpin-unneeded'));
    },
  },
  {
    code: 'port-kept',
    title: 'Port kept by the router',
    dependsOn: ['routes', 'udp-out', 'udp-3544', 'primary'],
    needs: ['servers'],
    judge: (facts) => {
      const { mapped, localPort } = mappingOf(facts);
      if (!mapped || localPort === null) return unknown(say('appearance-untold'));
      // Ports are written without a separator.
      const ports = { inside: String(localPort), outside: String(mapped.port) };
      return mapped.port === localPort
        ? good(say('port-kept', ports))
        : bad(say('port-changed', ports), say('mapping-keeps-port'));
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
      if (idle) {
        const seconds = Math.round(idle.ms / 1000);
        return idle.kept
          ? good(say('idle-kept', { seconds }))
          : bad(say('idle-closed', { seconds }), say('shorter-refresh'));
      }
      const every = engine?.refreshSeconds ?? 0;
      const same = engine?.sameMappingMs ?? null;
      if (engine && same !== null && same >= REFRESHES * every * 1000)
        return good(say('refreshes-hold', { seconds: every, minutes: Math.round(same / 60_000) }));
      return unknown(say('not-measured'), say('look-thoroughly'));
    },
  },
];

function offerOf(offer: Offer | undefined): Finding {
  if (!offer || offer.offered === null) return unknown(offer?.seen ?? say('nobody-asked'));
  return offer.offered ? good(offer.seen) : bad(offer.seen, say('needed-if-symmetric'));
}
