// Module doctor/sayings has every sentence of the doctor by its code, in English; a window with another language says them by code. Pure.
import { OWN_SAYINGS } from './sayings-own.ts';

/** `{{name}}` is replaced by what was found. Each has a code that is never renamed. */
export const SAYINGS = {
  'not-judged': 'Not judged: see "{{title}}".',

  'policy-unreadable': 'The policy could not be read.',
  'policy-disabled': 'The machine policy switches Teredo off.',
  'policy-disabled-by': 'The machine policy switches Teredo off ({{file}}).',
  'policy-damaged': 'The machine policy can’t be understood, so Teredo stays off.',
  'policy-damaged-by': 'The machine policy can’t be understood ({{file}}), so Teredo stays off.',
  'switched-off': 'Teredo is switched off in the settings.',
  'managed-network': 'A domain controller of {{domain}} answers: this is a managed network.',
  'no-controller': 'No domain controller answers.',
  'policy-allows': 'The policy allows it in {{domain}}.',
  'ask-administrator': 'Ask your administrator.',
  'mend-policy': 'Have your administrator mend that file.',
  'switch-on': 'Switch it on: set "enabled" to true.',
  'ask-enterprise': 'Ask your administrator for the policy "enterprise-client".',

  'client-runs': 'The client runs with the adapter {{adapter}}.',
  'client-runs-given': 'The client runs with the adapter it was given.',
  'helper-not-looked': 'It could not be looked for.',
  'helper-as-root': 'It runs as root and starts its helper itself.',
  'helper-not-built': 'The helper is not built.',
  'helper-service': 'The helper service is at {{at}}.',
  'helper-installed': 'The helper is installed at {{at}}; the system may ask you before it starts.',
  'helper-missing': 'There is no helper service, and no helper is installed.',
  'helper-unneeded': 'The built-in network needs none.',
  'start-asks': 'Start the client; it asks you then.',
  'start-with-rights': 'Start the client with sudo, or install the helper service.',

  'networks-unreadable': 'The networks could not be read.',
  'no-network': 'This PC is in no IPv4 network.',
  'no-default-route': 'There is no default route: IPv4 leads nowhere from here.',
  'way-out': 'IPv4 has a way out.',
  'way-through': 'IPv4 leads through {{routers}}.',
  'teredo-way': 'Teredo addresses (2001::/32) lead through {{adapter}}.',
  'no-teredo-route': 'There is no route for Teredo addresses.',
  'other-teredo-route': 'Teredo addresses lead through {{other}}, not through {{adapter}}.',
  'join-network': 'Plug in the cable, or join a Wi-Fi network.',
  'check-router': 'Check the router, and the network settings of this PC.',
  'end-route-taker': 'End what took the route, then start the client again.',

  'interfaces-unreadable': 'The interfaces could not be read.',
  'no-other-teredo': 'There is none.',
  'other-teredo': 'There is {{interfaces}}.',
  'other-interface': 'the interface {{name}}',
  'other-interface-with': 'the interface {{name}} with the address {{address}}',
  'end-other-teredo': 'End the other program (for Miredo: sudo systemctl stop miredo).',

  'no-native-ipv6': 'There is none, so that Teredo has its use.',
  'native-all-the-same': 'There is some; the settings say to run Teredo all the same.',
  'native-all-the-same-at':
    'There is some ({{address}}); the settings say to run Teredo all the same.',
  'native-ipv6': 'This network has IPv6 of its own, so Teredo is not needed and stays off.',
  'native-ipv6-at':
    'This network has IPv6 of its own ({{address}}), so Teredo is not needed and stays off.',
  'native-is-fine':
    'Nothing is wrong. To run Teredo all the same, set "evenWithNativeIpv6" to true.',

  'rule-against': 'A rule is in the way: {{rules}}.',
  'own-firewall-refused': 'This PC’s own firewall refused our UDP packets.',
  'no-rule-against': 'No rule drops our UDP or the adapter’s packets.',
  'packets-pass': 'Packets leave and answers come in; the rules themselves only root can read.',
  'rules-unreadable': 'Only root can read the rules, and no answer shows that they let one in.',
  'remove-rule': 'Remove that rule, or allow UDP port 3544.',
  'allow-udp': 'Allow outgoing UDP in the firewall of this PC.',
  'run-with-sudo': 'Run it again with sudo.',

  'names-late': 'The look-up did not end in time.',
  'no-server-set': 'No server is set.',
  'names-lost': '{{errors}}',
  'names-nowhere': 'The names lead to {{addresses}}, where no public server can be.',
  'names-found': '{{names}}.',
  'name-is': '{{name}} is {{addresses}}',
  'not-found-too': 'Not found: {{names}}.',
  'check-name-service': 'Check the name service of this network.',
  'name-a-server': 'Name a server in the settings, or with --server.',
  'check-name': 'Check the server’s name, and the name service of this network.',
  'log-in-or-check': 'Log in to this network first: open any web page; or check the server’s name.',

  'server-by-udp': '{{server}} answers by UDP.',
  'tunnel-by-udp': 'The tunnel’s server answers by UDP.',
  'not-tried-to-end': 'It was not tried to its end.',
  'name-server-by-udp': 'A name server ({{server}}) answers by UDP.',
  'udp-refused': 'UDP does not get out: {{refusal}}.',
  'tcp-alone': 'TCP gets out and UDP does not: three name servers answer by TCP alone.',
  'nobody-answers': 'Nobody answers, by TCP or by UDP.',
  'refused-here': 'this PC’s own firewall refused it',
  'refused-no-way': 'there is no way there',
  'refused-by-router': 'a router said that it is not allowed or not reachable',
  'refused-at-end': 'the far end said that nobody listens there',
  'refused-otherwise': 'it failed with {{error}}',
  'ask-for-udp': 'Ask whoever runs this network to let UDP out, or use another network.',
  'ask-for-udp-or-log-in':
    'Ask whoever runs this network to let UDP out, or use another network; where a page asks you to log in, do that first.',
  'check-internet': 'Check whether this network has Internet at all.',

  'server-at-3544': '{{server}} answers at port 3544.',
  'tunnel-at-3544': 'The tunnel’s server answers at port 3544.',
  'no-server-known': 'No server is known to ask.',
  'something-at-3544': '{{server}} says something at port 3544.',
  'refused-at-3544': 'Port 3544 is refused: {{refusal}}.',
  'silent-together':
    '{{number}} servers that answered before are all silent now, while other UDP gets through.',
  'silent-or-dropped':
    'No server answers, which can’t be told from a network that drops UDP port 3544.',
  'allow-3544': 'Allow outgoing UDP to port 3544 in the firewall of this PC.',
  'ask-for-3544': 'Ask whoever runs this network to let UDP port 3544 out, or use another network.',
  'try-another-network':
    'Try another network, such as your phone’s, to see whether this one is to blame.',

  'servers-answer': '{{servers}}.',
  'answers-in': '{{server}} answers in {{ms}} ms',
  'answers-tunnel': '{{server}} answers the tunnel.',
  'key-refused': 'The server refuses our client id and key.',
  'no-server-there': 'The machine says that no server runs there.',
  'junk-answers': 'Something other than a Teredo server answers in its place.',
  'servers-silent': '{{servers}} did not answer.',
  'ask-for-key': 'Ask whoever runs it for a new key.',
  'check-or-start': 'Check the name or address; or have whoever runs it start it.',
  'log-in-first': 'Log in to this network first, or check the server’s name.',
  'try-another-server': 'Try another server (shipworm servers), or ask whoever runs this one.',

  'second-answered': 'It answered the tunnel.',
  'no-second': 'No second address is known to ask.',
  'second-silent': '{{servers}} did not answer, so that the kind of router can’t be told.',
  'give-second': 'Have whoever runs the server give it a second address; the tunnel works without.',

  'nat-none': 'There is none: this PC has the public address {{endpoint}}.',
  'nat-cone': 'Cone: everybody may write to {{endpoint}}.',
  'nat-restricted': 'Restricted: one port for all, {{endpoint}}; direct paths work.',
  'nat-symmetric': 'Symmetric: another port for each destination ({{endpoint}} for the server).',
  'nat-untold':
    'The server sees us as {{endpoint}}; without its second address the kind can’t be told.',
  'appearance-untold': 'No server has told how we appear.',
  'switch-mapping-on': 'Switch port mapping on: your router offers it.',
  'switch-router-on': 'Switch UPnP, NAT-PMP or PCP on in your router, or choose "full cone" there.',

  'hairpin-untried': 'It needs a server’s answer.',
  'hairpin-works': 'What is sent to our own public address comes back.',
  'hairpin-fails':
    'What is sent to our own public address does not come back: two PCs behind this router can’t meet that way.',
  'hairpin-unneeded':
    'Nothing is needed for PCs elsewhere. For two PCs here, use their local addresses.',

  'port-kept': 'Port {{inside}} stays {{outside}} outside.',
  'port-changed': 'Port {{inside}} becomes {{outside}} outside.',
  'mapping-keeps-port': 'Nothing is needed; a port mapping keeps it the same.',

  'no-router': 'There is no router to ask.',
  'nobody-asked': 'Nobody was asked.',
  'router-silent': '{{router}} does not answer {{way}}.',
  'router-answers': '{{router}} answers {{way}}.',
  'router-answers-with': '{{router}} answers {{way}} and has {{address}}.',
  'router-refuses': '{{router}} answers {{way}}, but refuses ({{result}}).',
  'needed-if-symmetric': 'Needed only behind a symmetric router: switch it on there.',

  'idle-kept': 'An unused way was still open after {{seconds}} s.',
  'idle-closed': 'The router had closed an unused way within {{seconds}} s.',
  'refreshes-hold':
    'Refreshed every {{seconds}} s, the mapping has been the same for {{minutes}} min.',
  'not-measured': 'Not measured: that takes a minute.',
  'shorter-refresh': 'Set "refreshInterval" to a shorter time than that.',
  'look-thoroughly': 'Run: shipworm doctor --thorough',

  'met-at': 'It works: this PC can be met at {{address}}.',
  'met-somewhere': 'It works: this PC can be met at its address.',
  prevented: 'Teredo can’t get an address:',
  unclear: 'It is not clear why Teredo has no address:',
  'limited-works':
    'It works, but some Teredo peers can’t be reached: your router takes another port for each destination.',
  'limited-can':
    'It can work, but some Teredo peers can’t be reached: your router takes another port for each destination.',
  'limited-here':
    'Teredo can work here, but some Teredo peers can’t be reached: your router takes another port for each destination.',
  'all-here': 'Everything that Teredo needs is here. Start it with: shipworm client',
  'all-well': 'Everything is well; the tunnel sleeps because no allowed application needs it.',
  'all-here-no-address': 'Everything that Teredo needs is here, but it has no address yet:',
  /** Why the state is what it is, with its code. */
  reason: '{{text}}',

  ...OWN_SAYINGS,
} as const;

export type SayingCode = keyof typeof SAYINGS;
/** A list is put together with "and", or with semicolons where its parts are sayings. */
export type Param = string | number | Saying | readonly (string | Saying)[];

/** A sentence, or a part of one: its code, and what stands in its places. */
export interface Saying {
  readonly code: SayingCode;
  readonly params: Readonly<Record<string, Param>>;
}

export const say = (code: SayingCode, params: Saying['params'] = {}): Saying => ({ code, params });

/** Whether `value`, as it came over a socket, is one. */
export function isSaying(value: unknown): value is Saying {
  const { code, params } = (value ?? {}) as Partial<Saying>;
  return code !== undefined && Object.hasOwn(SAYINGS, code) && typeof params === 'object';
}

/** The English text. */
export function textOf({ code, params }: Saying): string {
  return SAYINGS[code].replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = params[name]!;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    if ('code' in value) return textOf(value);
    const parts = value.map((part) => (typeof part === 'string' ? part : textOf(part)));
    return parts.join(value.some((part) => typeof part !== 'string') ? '; ' : ' and ');
  });
}

/** Several sentences. */
export const textsOf = (sayings: readonly Saying[]): string => sayings.map(textOf).join(' ');
