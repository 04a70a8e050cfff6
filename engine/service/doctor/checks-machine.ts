// Module doctor/checks-machine declares the checks about this PC and its network: policy, helper, routes, other tunnels, firewall. Pure.
import { formatIp4 } from '../../wire/index.ts';
import { bad, good, unknown } from './check.ts';
import type { Check, Finding } from './check.ts';
import type { ManagedFacts } from './facts.ts';
import { answering, engineAnswered, isOwnRefusal } from './readings.ts';
import { say } from './sayings.ts';
import type { SayingCode } from './sayings.ts';

/** What is said of each state of the helper. */
const HELPER: Readonly<Record<string, SayingCode>> = {
  root: 'helper-as-root',
  'not-built': 'helper-not-built',
  service: 'helper-service',
  installed: 'helper-installed',
  missing: 'helper-missing',
  unneeded: 'helper-unneeded',
};

/** Whether Teredo may be spoken here at all. */
export function judgeManaged(managed: ManagedFacts | null): Finding {
  if (!managed) return unknown(say('policy-unreadable'));
  const { policyState, policyFile: file, domain, enabled } = managed;
  if (policyState === 'disabled')
    return bad(
      file === null ? say('policy-disabled') : say('policy-disabled-by', { file }),
      say('ask-administrator'),
    );
  if (policyState === 'damaged')
    return bad(
      file === null ? say('policy-damaged') : say('policy-damaged-by', { file }),
      say('mend-policy'),
    );
  if (!enabled) return bad(say('switched-off'), say('switch-on'));
  if (domain !== null && policyState !== 'enterprise-client')
    return bad(say('managed-network', { domain }), say('ask-enterprise'));
  return good(domain === null ? say('no-controller') : say('policy-allows', { domain }));
}

export const MACHINE_CHECKS: readonly Check[] = [
  {
    code: 'managed',
    title: 'Managed network or policy',
    dependsOn: [],
    needs: ['managed'],
    judge: ({ managed }) => judgeManaged(managed),
  },
  {
    code: 'helper',
    title: 'Helper and adapter',
    dependsOn: [],
    needs: ['machine'],
    judge: ({ engine, machine }) => {
      if (engine) {
        const { adapter } = engine.status;
        return good(adapter === null ? say('client-runs-given') : say('client-runs', { adapter }));
      }
      if (!machine) return unknown(say('helper-not-looked'));
      const { ready, state, at } = machine.helper;
      const seen = say(HELPER[state]!, { at: at ?? '' });
      if (ready === null) return unknown(seen, say('start-asks'));
      return ready ? good(seen) : bad(seen, say('start-with-rights'));
    },
  },
  {
    code: 'routes',
    title: 'Networks and routes',
    dependsOn: [],
    needs: ['network', 'machine'],
    judge: ({ network, engine, machine }) => {
      if (!network) return unknown(say('networks-unreadable'));
      if (network.addresses.length === 0) return bad(say('no-network'), say('join-network'));
      if (!network.ipv4) return bad(say('no-default-route'), say('check-router'));
      const routers = network.gateways.map(formatIp4);
      const way = routers.length === 0 ? say('way-out') : say('way-through', { routers });
      const adapter = engine?.status.adapter ?? null;
      if (engine?.status.address == null || machine?.teredoRoute == null || adapter === null)
        return good(way);
      if (machine.teredoRoute === adapter) return good(way, say('teredo-way', { adapter }));
      return bad(
        machine.teredoRoute === 'none'
          ? say('no-teredo-route')
          : say('other-teredo-route', { other: machine.teredoRoute, adapter }),
        say('end-route-taker'),
      );
    },
  },
  {
    code: 'other-teredo',
    title: 'Another Teredo on this PC',
    dependsOn: [],
    needs: ['machine'],
    judge: ({ machine }) => {
      if (!machine?.otherTeredo) return unknown(say('interfaces-unreadable'));
      if (machine.otherTeredo.length === 0) return good(say('no-other-teredo'));
      const interfaces = machine.otherTeredo.map(({ name, address }) =>
        address === null
          ? say('other-interface', { name })
          : say('other-interface-with', { name, address }),
      );
      return bad(say('other-teredo', { interfaces }), say('end-other-teredo'));
    },
  },
  {
    code: 'native-ipv6',
    title: 'Native IPv6',
    dependsOn: [],
    needs: ['network', 'machine'],
    judge: ({ network, machine, evenWithNativeIpv6 }) => {
      if (!network) return unknown(say('networks-unreadable'));
      if (!network.nativeIpv6) return good(say('no-native-ipv6'));
      const address = machine?.native6 ?? null;
      if (evenWithNativeIpv6)
        return good(
          address === null
            ? say('native-all-the-same')
            : say('native-all-the-same-at', { address }),
        );
      return bad(
        address === null ? say('native-ipv6') : say('native-ipv6-at', { address }),
        say('native-is-fine'),
      );
    },
  },
  {
    code: 'firewall',
    title: 'Firewall of this PC',
    dependsOn: [],
    needs: ['machine', 'udpOut', 'servers'],
    judge: (facts) => {
      const { machine, udpOut, servers } = facts;
      const refused = [udpOut?.refused ?? null, ...(servers ?? []).map((each) => each.refused)];
      const against = machine?.firewall.against ?? [];
      if (against.length > 0)
        return bad(say('rule-against', { rules: against.join('; ') }), say('remove-rule'));
      if (refused.some(isOwnRefusal)) return bad(say('own-firewall-refused'), say('allow-udp'));
      if (machine?.firewall.readable) return good(say('no-rule-against'));
      if (answering(facts).length > 0 || engineAnswered(facts)) return good(say('packets-pass'));
      return unknown(say('rules-unreadable'), say('run-with-sudo'));
    },
  },
];
