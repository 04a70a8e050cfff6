// Module doctor/sayings-own has the sentences about one's own server and relay, seen from outside, by their codes, in English. Pure.

/** Taken in by doctor/sayings; as there, a code is never renamed. */
export const OWN_SAYINGS = {
  'own-silent-here': 'This PC could not look: IPv4 leads nowhere from here.',
  'own-join-network': 'Join a network that leads to the Internet, then look again.',
  'own-name-found': '{{name}} is {{addresses}}.',
  'own-name-is-address': '{{address}} was given, so no name had to be found.',
  'own-name-lost': '{{error}}',
  'own-mend-name': 'Check its spelling, and that the name’s A record holds your server’s address.',
  'own-name-later': 'The look-up did not end in time.',
  'own-private':
    '{{address}} is no public address: nobody on the Internet can send anything there.',
  'own-use-public':
    'Give the address that the Internet knows; for a closed lab, say that private addresses are meant.',
  'own-log-in-or-mend':
    'Where a page asks you to log in to this network, do that first; else give the name the address that the Internet knows.',
  'own-public': '{{address}} is a public address.',
  'own-lab-address': '{{address}} is taken, as in a closed lab.',
  'own-no-address': 'No address is known to ask.',

  'own-answered': '{{address}} answered in {{ms}} ms.',
  'own-answered-wrong': '{{address}} answered, but not rightly.',
  'own-other-voice': 'Something answers at {{address}}, but it is no Teredo server.',
  'own-refused': '{{address}} did not answer: {{refusal}}.',
  'own-silent': '{{address}} did not answer, while other UDP gets through from here.',
  'own-silent-all': '{{address}} did not answer, and no other UDP got an answer from here either.',
  'own-start-server':
    'On the server’s machine see "systemctl status shipworm-server" (or miredo-server), and start it.',
  'own-other-program': 'On that machine, end what holds UDP port 3544: "ss -ulnp" names it.',
  'own-open-3544':
    'On the server’s machine see that the server runs ("shipworm status"), and open UDP port 3544 in its firewall and in its provider’s. If both are so, look from another network: this one may drop that port.',
  'own-mend-here': 'Look from a network that lets UDP out.',

  'own-advertised': 'It gives {{prefix}}, returns the nonce, names this PC as {{origin}}{{mtu}}.',
  'own-mtu-said': ', and says MTU {{mtu}}',
  'own-mtu-unsaid': ', and leaves the MTU at 1280',
  'own-no-nonce':
    'Its answer has no authentication, so clients drop it: anybody could have sent it.',
  'own-other-nonce': 'Its answer returns another nonce than it was asked with, so clients drop it.',
  'own-bad-signature': 'Its answer is not signed with the key in the settings here.',
  'own-malformed': 'Its advertisement breaks the rules ({{reason}}), so clients drop it.',
  'own-other-receiver': 'Its advertisement is addressed to somebody else.',
  'own-no-origin':
    'Its answer does not say from which address it heard this PC, so no address can be made of it.',
  'own-private-origin': 'It names this PC as {{origin}}, which is no public address.',
  'own-other-prefix': 'It gives {{prefix}}, while {{expected}} belongs to its address.',
  'own-odd-mtu': 'It says MTU {{mtu}}, which does not fit through the tunnel.',
  'own-wants-key': 'It answers only clients whose id and key it knows.',
  'own-give-key':
    'Put "clientId" and "key" into the settings here, and this server among "servers".',
  'own-same-key': 'Give the same "key" to this client here and in the server’s "clients".',
  'own-mend-server':
    'Something between here and the server changes what it says, or it is an old one: run a current Shipworm or Miredo there.',
  'own-set-primary':
    'Set "primary" in the server’s settings to {{address}}, the address that clients know it by; where the provider translates addresses, its private one goes into "bindPrimary".',
  'own-server-inside':
    'Server and this PC are in one private network; look from outside, or put the server on the Internet.',

  'own-same-mapping': 'Both addresses see this PC as {{origin}}.',
  'own-symmetric-here':
    'The router here takes another port for each of the two addresses ({{first}}, {{second}}): it is symmetric, which is no fault of the server’s.',
  'own-one-view': 'Only one address told how it sees this PC.',
  'own-look-elsewhere': 'Look once more from another network to see the rest.',

  'own-second-answered': '{{address}} answered in {{ms}} ms.',
  'own-second-silent':
    '{{address}} did not answer: the server has one address only, or the other one is blocked.',
  'own-second-wrong': '{{address}} answers, but not as the same server.',
  'own-give-second':
    'Give the server a second public IPv4 address ("secondary"), best the next one, and open UDP port 3544 there; if it is another one, name it to this check. Clients work without, but can’t tell a symmetric router.',
  'own-cone-answered': 'Asked to, it answered from {{address}}, its other address, as it must.',
  'own-cone-same': 'Asked to answer from its other address, it answered from {{address}}.',
  'own-cone-silent': 'Asked to answer from its other address, it did not answer at all.',
  'own-cone-silent-symmetric':
    'Asked to answer from its other address, nothing came; the symmetric router here would not let it in.',
  'own-cone-untried': 'It was not asked to, for only one of its addresses answers.',
  'own-both-one-program':
    'Let one server have both addresses ("primary" and "secondary"), and see that the machine sends from both: "ip -4 address" must show them.',

  'own-bubbled': 'A bubble from here came back to here, and names its sender rightly.',
  'own-bubble-lost': 'A bubble that was sent through it to this very PC did not arrive.',
  'own-bubble-no-origin': 'A bubble came through it without saying from whom.',
  'own-bubble-other-origin':
    'A bubble came through it that names {{origin}}, while its sender is {{sender}}.',
  'own-bubble-untried': 'It could not be tried: the server gave no second address to try with.',
  'own-let-out':
    'Let UDP out from port 3544 of the server’s machine, to every port: see its firewall and its provider’s. Its "limits" may be too low, too.',
  'own-refuses': 'It passed on neither data nor a bubble with a forged source.',
  'own-passes-data':
    'It passes on data, not bubbles and pings alone, so that strangers can hide behind it.',
  'own-passes-forged': 'It passes on bubbles in the name of somebody else.',
  'own-passes-both':
    'It passes on data, and bubbles in the name of somebody else, so that strangers can hide behind it.',
  'own-run-current': 'Run a current Shipworm or Miredo as the server.',
  'own-refuses-untold': 'No bubble came through, so what else would come can’t be told.',

  'own-ping-back': '{{host}} answered through it, in {{ms}} ms.',
  'own-ping-lost': 'No answer came from {{host}}.',
  'own-ping-lost-only':
    'No answer came from {{host}}, while {{other}} answered: the server passes pings on.',
  'own-ping-lost-default':
    'No answer came from the root name servers. That is usual: an answer finds you only where somebody near them announces 2001::/32.',
  'own-ping-lost-symmetric':
    'No answer came from {{host}}; the symmetric router here may have kept it out.',
  'own-ping-no-host': '{{error}}',
  'own-check-host': 'Check the name or address of the native host.',
  'own-give-host':
    'Name a native host whose way back is your relay, best the IPv6 address of the relay’s own machine.',
  'own-native-way':
    'On the server’s machine see that it has native IPv6 ("ping -6" a host); on the host, that 2001::/32 leads to your relay ("ip -6 route get 2001::1") and that it answers pings; on the relay’s, that it runs and UDP port 3545 is open.',
  'own-route-back':
    'Lead 2001::/32 to your relay on that host ("ip -6 route get 2001::1" shows the way), see that it answers pings, that the relay runs, and that its UDP port 3545 is open.',

  'own-relay-is-yours': '{{relay}} brought the answer: it is yours.',
  'own-relay-beside': '{{relay}} brought the answer: it is on the server’s machine.',
  'own-relay-foreign':
    '{{relay}} brought the answer, not your {{own}}: it belongs to whoever announces 2001::/32 nearest to {{host}}, which is where the Internet sends the answers.',
  'own-relay-whose': '{{relay}} brought the answer; whether it is yours you can tell.',
  'own-relay-unseen': 'No relay was seen.',
  'own-name-relay': 'Name your relay’s IPv4 address to this check.',
  'own-lead-to-relay':
    'Give the host a route for 2001::/32 to your relay’s machine, or let your relay speak for its clients (masquerading).',
  'own-relay-bubbled': 'It sent a bubble through the server first, then the answer, as it must.',
  'own-relay-no-bubble':
    'It sent the answer without a bubble first, so that most routers at home would drop it.',
  'own-relay-current': 'Run a current Shipworm or Miredo as the relay.',
  'own-relay-carries': 'Both ways: a ping straight to it was answered in {{ms}} ms.',
  'own-relay-one-way': 'It brought an answer, but a ping sent straight to it got none.',
  'own-forward':
    'On the relay’s machine let UDP port 3545 in, and let IPv6 pass between the adapter "teredo" and the outside ("sysctl net.ipv6.conf.all.forwarding" must be 1, and the firewall’s forward chain must accept it).',

  'own-works': 'Your server and your relay work, seen from here.',
  'own-works-through-other': 'Your server works, and native IPv6 is reached through {{relay}}.',
  'own-fails': 'Your server doesn’t work, seen from here:',
  'own-limited': 'Your server and your relay work, with limits:',
  'own-server-works': 'Your server works, but not all is well:',
  'own-relay-untold': 'Your server works; your relay could not be judged:',
  'own-prevented': 'This PC may not look:',
  'own-unclear': 'It can’t be told from here whether your server works:',
} as const;
