// Module doctor/checks-machine declares the checks about this PC and its network: policy, helper, routes, other tunnels, firewall. Pure.
import { formatIp4 } from '../../wire/index.ts';
import { bad, good, unknown } from './check.ts';
import type { Check } from './check.ts';
import { answering, engineAnswered, isOwnRefusal } from './readings.ts';

export const MACHINE_CHECKS: readonly Check[] = [
  {
    code: 'managed',
    title: 'Managed network or policy',
    dependsOn: [],
    needs: ['managed'],
    judge: ({ managed }) => {
      if (!managed) return unknown('The policy could not be read.');
      const { policyState, policyFile, domain, enabled } = managed;
      const file = policyFile === null ? '' : ` (${policyFile})`;
      if (policyState === 'disabled')
        return bad(`The machine policy switches Teredo off${file}.`, 'Ask your administrator.');
      if (policyState === 'damaged')
        return bad(
          `The machine policy can’t be understood${file}, so Teredo stays off.`,
          'Have your administrator mend that file.',
        );
      if (!enabled)
        return bad(
          'Teredo is switched off in the settings.',
          'Switch it on: set "enabled" to true.',
        );
      if (domain !== null && policyState !== 'enterprise-client')
        return bad(
          `A domain controller of ${domain} answers: this is a managed network.`,
          'Ask your administrator for the policy "enterprise-client".',
        );
      return good(
        domain === null ? 'No domain controller answers.' : `The policy allows it in ${domain}.`,
      );
    },
  },
  {
    code: 'helper',
    title: 'Helper and adapter',
    dependsOn: [],
    needs: ['machine'],
    judge: ({ engine, machine }) => {
      if (engine)
        return good(`The client runs with the adapter ${engine.status.adapter ?? 'it was given'}.`);
      if (!machine) return unknown('It could not be looked for.');
      const { ready, text } = machine.helper;
      if (ready === null) return unknown(text, 'Start the client; it asks you then.');
      return ready
        ? good(text)
        : bad(text, 'Start the client with sudo, or install the helper service.');
    },
  },
  {
    code: 'routes',
    title: 'Networks and routes',
    dependsOn: [],
    needs: ['network', 'machine'],
    judge: ({ network, engine, machine }) => {
      if (!network) return unknown('The networks could not be read.');
      if (network.addresses.length === 0)
        return bad('This PC is in no IPv4 network.', 'Plug in the cable, or join a Wi-Fi network.');
      if (!network.ipv4)
        return bad(
          'There is no default route: IPv4 leads nowhere from here.',
          'Check the router, and the network settings of this PC.',
        );
      const through = network.gateways.map(formatIp4).join(' and ');
      const way = through === '' ? 'IPv4 has a way out' : `IPv4 leads through ${through}`;
      const adapter = engine?.status.adapter ?? null;
      if (engine?.status.address == null || machine?.teredoRoute == null) return good(`${way}.`);
      return machine.teredoRoute === adapter
        ? good(`${way}, and 2001::/32 through ${adapter}.`)
        : bad(
            machine.teredoRoute === 'none'
              ? 'There is no route for Teredo addresses.'
              : `Teredo addresses lead through ${machine.teredoRoute}, not through ${adapter}.`,
            'End what took the route, then start the client again.',
          );
    },
  },
  {
    code: 'other-teredo',
    title: 'Another Teredo on this PC',
    dependsOn: [],
    needs: ['machine'],
    judge: ({ machine }) => {
      if (!machine?.otherTeredo) return unknown('The interfaces could not be read.');
      return machine.otherTeredo.length === 0
        ? good('There is none.')
        : bad(
            `There is ${machine.otherTeredo.join(' and ')}.`,
            'End the other program (for Miredo: sudo systemctl stop miredo).',
          );
    },
  },
  {
    code: 'native-ipv6',
    title: 'Native IPv6',
    dependsOn: [],
    needs: ['network', 'machine'],
    judge: ({ network, machine, evenWithNativeIpv6 }) => {
      if (!network) return unknown('The networks could not be read.');
      if (!network.nativeIpv6) return good('There is none, so that Teredo has its use.');
      const address = machine?.native6 == null ? '' : ` (${machine.native6})`;
      return evenWithNativeIpv6
        ? good(`There is some${address}; the settings say to run Teredo all the same.`)
        : bad(
            `This network has IPv6 of its own${address}, so Teredo is not needed and stays off.`,
            'Nothing is wrong. To run Teredo all the same, set "evenWithNativeIpv6" to true.',
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
        return bad(
          `A rule is in the way: ${against.join('; ')}.`,
          'Remove that rule, or allow UDP port 3544.',
        );
      if (refused.some(isOwnRefusal))
        return bad(
          'This PC’s own firewall refused our UDP packets.',
          'Allow outgoing UDP in the firewall of this PC.',
        );
      if (machine?.firewall.readable)
        return good('No rule drops our UDP or the adapter’s packets.');
      if (answering(facts).length > 0 || engineAnswered(facts))
        return good('Packets leave and answers come in; the rules themselves only root can read.');
      return unknown(
        'Only root can read the rules, and no answer shows that they let one in.',
        'Run it again with sudo.',
      );
    },
  },
];
