// Makes docs/nat-matrix.md: what works between which NATs, through what, how soon, and why not, as the simulator shows it.
import { NAT_KINDS } from '../../../engine/sim/index.ts';
import type { Dependence, NatBehaviour, PortAssignment } from '../../../engine/sim/index.ts';
import GUESSED from './guessed.json' with { type: 'json' };
import { endOf, FIGURE, FIGURE_KINDS } from './figure.ts';
import { MIREDO_KINDS, MIREDO_PAIRS } from './miredo.ts';
import { tryBehind, tryNative, tryPair } from './try.ts';
import type { End, Result, Through } from './try.ts';

const DEPENDENCES = {
  I: 'endpointIndependent',
  A: 'addressDependent',
  P: 'addressAndPortDependent',
} as const satisfies Record<string, Dependence>;
const ASSIGNMENTS = {
  k: 'preserved',
  s: 'sequential',
  r: 'random',
} as const satisfies Record<string, PortAssignment>;

/** All of RFC 4787 §4.1, §5 and §4.2.1, by a name of three letters: mapping, filtering, ports. */
const KINDS: readonly (readonly [string, End])[] = Object.entries(DEPENDENCES).flatMap(
  ([m, mapping]) =>
    Object.entries(DEPENDENCES).flatMap(([f, filtering]) =>
      Object.entries(ASSIGNMENTS).map(([p, assignment]) => {
        const behaviour = { ...NAT_KINDS.portRestricted, mapping, filtering, assignment };
        return [`${m}${f}${p}`, { routers: [{ behaviour }] }] as const;
      }),
    ),
);

/** The kind of that name, with our client's `settings`. */
export function endNamed(name: string, settings: End['settings'] = {}): End {
  return { ...KINDS.find(([kind]) => kind === name)![1], settings };
}

const LETTER: Readonly<Record<Through, string>> = {
  address: 'a',
  nonce: 'n',
  sidePort: 's',
  local: 'l',
  hairpin: 'h',
  relay: 'r',
};

const cell = (result: Result): string =>
  result.works ? `${LETTER[result.through]}${result.ms}${result.back ? '' : '!'}` : '·';

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
}

/** Who let nothing in: the sender's NAT, the receiver's, or both. */
function whoDrops(result: Result): string {
  if (result.works) return '';
  const at = (name: string): boolean => result.why.some((each) => each.startsWith(name));
  if (at('first') && at('second')) return 'both';
  return at('first') ? 'the sender’s' : at('second') ? 'the receiver’s' : result.why.join(', ');
}

function matrix(): string {
  const results = KINDS.map(([, a]) => KINDS.map(([, b]) => tryPair(a, b)));
  const names = KINDS.map(([name]) => name);
  const works = results.flat().flatMap((result) => (result.works ? [result] : []));
  const byWay = (way: Through): number => works.filter((result) => result.through === way).length;
  const slowest = Math.max(...works.map((result) => result.ms));
  const failing = names.flatMap((a, i) => {
    const groups = new Map<string, string[]>();
    names.forEach((b, j) => {
      const result = results[i]![j]!;
      if (result.works) return;
      const who = whoDrops(result);
      groups.set(who, [...(groups.get(who) ?? []), b]);
    });
    return [...groups].map(([who, list]) => [a, list.join(' '), who]);
  });
  return `${works.length} of ${names.length ** 2} pairs work: ${byWay('address')} by the address alone, ${byWay('nonce')} by the
nonce, ${byWay('sidePort')} by a side port. The slowest first packet took ${slowest} ms.

${table(
  ['', ...names],
  names.map((a, i) => [`**${a}**`, ...results[i]!.map(cell)]),
)}

### Why not

Whose NAT dropped the bubbles of the other client, for the pairs that do not work:

${table(['From', 'To', 'NAT that drops'], failing)}`;
}

function figure(): string {
  const rows = FIGURE_KINDS.map((a, i) => [
    `**${a}**`,
    ...FIGURE_KINDS.map((b, j) => {
      const result = tryPair(endOf(a), endOf(b));
      return `${FIGURE[i]![j]!} / ${cell(result)}`;
    }),
  ]);
  return table(['', ...FIGURE_KINDS], rows);
}

function natives(): string {
  const rows = KINDS.map(([name, end]) => [
    name,
    cell(tryNative(end, true)),
    cell(tryNative(end, false)),
  ]);
  return table(['NAT', 'client to native', 'native to client'], rows);
}

function shared(): string {
  const kinds: readonly (readonly [string, NatBehaviour])[] = [
    ['IIk', NAT_KINDS.cone],
    ['IPk', NAT_KINDS.portRestricted],
    ['PPr', NAT_KINDS.symmetric],
    ['Linux', NAT_KINDS.linux],
  ];
  const open: End = { routers: [] };
  const home = (grants: boolean): End => ({
    routers: [{ behaviour: NAT_KINDS.portRestricted, grants }],
  });
  const rows = kinds.flatMap(([name, behaviour]) =>
    (['none', 'external', 'internal'] as const).map((hairpin) => {
      const outer = [{ behaviour: { ...behaviour, hairpin } }];
      return [
        name,
        hairpin,
        cell(tryBehind(outer, open, open)),
        cell(tryBehind(outer, home(false), home(false))),
        cell(tryBehind(outer, home(true), home(true))),
      ];
    }),
  );
  return table(
    [
      'Shared NAT',
      'hairpinning',
      'two PCs in its network',
      'each behind a router of its own in it',
      'the same, routers that grant ports',
    ],
    rows,
  );
}

function carriers(): string {
  const carrier = { behaviour: NAT_KINDS.carrier, addresses: 4 };
  const strict = {
    behaviour: { ...NAT_KINDS.carrier, filtering: 'addressAndPortDependent' },
  } as const;
  const restricted = { behaviour: NAT_KINDS.portRestricted };
  const symmetric = { behaviour: NAT_KINDS.symmetric };
  const places: readonly (readonly [string, End])[] = [
    ['no NAT', { routers: [] }],
    ['home (IPk)', { routers: [restricted] }],
    ['carrier (IIr, 4 addresses)', { routers: [carrier] }],
    ['home IPk behind carrier IIr', { routers: [carrier, restricted] }],
    ['home IPk behind carrier IPr', { routers: [strict, restricted] }],
    ['home PPr behind carrier IPr', { routers: [strict, symmetric] }],
    ['home IPk behind carrier PPr', { routers: [symmetric, restricted] }],
  ];
  const rows = places.map(([a, first]) => [
    `**${a}**`,
    ...places.map(([, second]) => cell(tryPair(first, second))),
    cell(tryNative(first, true)),
    cell(tryNative(first, false)),
  ]);
  return table(['', ...places.map(([name]) => name), 'to native', 'from native'], rows);
}

function guessed(): string {
  const rows = GUESSED.rows.map((each) => [
    `${each.from} to ${each.to}`,
    `${each.ports} × ${each.guesses.toLocaleString('en')}`,
    `${Math.round((100 * each.works) / GUESSED.seeds)} %`,
    each.medianMs === null ? '·' : `${(each.medianMs / 1000).toFixed(1)} s`,
    each.sent.toLocaleString('en'),
  ]);
  return table(['pair', 'ports × guesses a round', 'works', 'median', 'sent'], rows);
}

function miredo(): string {
  const ends: Readonly<Record<string, End>> = {
    none: { routers: [] },
    cone: { routers: [{ behaviour: NAT_KINDS.cone }] },
    restricted: { routers: [{ behaviour: NAT_KINDS.linux }] },
    symmetric: { routers: [{ behaviour: NAT_KINDS.symmetric }] },
    open: { routers: [{ behaviour: NAT_KINDS.open }] },
  };
  const rows = MIREDO_KINDS.map((a) => [
    `**${a}**`,
    ...MIREDO_KINDS.map((b) => `${MIREDO_PAIRS[a][b]} / ${cell(tryPair(ends[a]!, ends[b]!))}`),
  ]);
  return table(['', ...MIREDO_KINDS], rows);
}

/** The whole document. */
export function document(): string {
  return `# Which NATs can talk to each other

<!-- Made by "npm run nat-matrix"; a test compares it with what the simulator shows. Change test/sim/matrix, not this. -->

Two clients behind two routers, one packet from the first to the second: does it arrive, through what, and how soon? The
answers come from the simulator, where each line takes 5 ms each way (a round trip by the server takes 40 ms, one between the
two homes 60 ms) and nothing is lost. Both clients have the same server. Rows send, columns receive.

A NAT is named by three letters, in the words of RFC 4787: how it maps (§4.1), whom it lets in (§5), and which ports it takes
(§4.2.1).

| letter | mapping: the outside port is | filtering: lets in | | ports |
| --- | --- | --- | --- | --- |
| I | the same for all | everybody | k | kept, if free |
| A | another for each address | whose address was sent to | s | the next one each time |
| P | another for each address and port | whose address and port were sent to | r | random |

So \`IIk\` is a full cone, \`IAk\` address-restricted, \`IPk\` port-restricted, and whatever begins with A or P is symmetric.

In a cell the number is the time until the packet arrived, in ms; the letter before it says through what:

- **a**: to the endpoint in the peer’s Teredo address, as RFC 4380 has it;
- **n**: to another endpoint, which the peer proved by our nonce (RFC 6081 §5.2);
- **s**: from a port beside the service port, whose outside port was kept or foreseen (RFC 6081 §5.4, §5.5);
- **l**: inside a network that both are in; **h**: out to the NAT that both are behind and back in; **r**: through a relay;
- **!** behind the number: the answer does not get back;
- **·**: not at all. The sender is told “unreachable” within 9 s.

## Every kind with every other

${matrix()}

Each of them has a mapping that the other can’t know: a symmetric NAT chooses a port for the peer when the first bubble leaves,
and the peer’s NAT lets in only the port that its own bubble was sent to. With the port kept or counted up one of the two can be
foreseen; with random ports neither can.

## What RFC 6081 promises

Figure 1 of RFC 6081 §3, and behind the stroke what happens here. Everything that it promises works; a test holds us to it.

${figure()}

## Native IPv6 hosts

Through a relay, which meets the client’s NAT from an endpoint that the client asked first:

${natives()}

## Two clients behind one NAT

The alternate addresses of RFC 6081 §5.6 and local discovery (RFC 4380 §5.2.8) keep neighbours inside their network. Where each
has a router of its own, a port that the router grants is what the other can use; without one only a NAT that turns packets
round (“hairpinning”) helps.

${shared()}

## Carriers’ NATs, and two NATs in a row

${carriers()}

## Beside Miredo

Miredo 1.2.6 in network namespaces with the kernel’s NAT, each pair of five kinds: \`ok\` or \`fail\`; behind the stroke the same pair
with our clients in the simulator. \`restricted\` and \`open\` are Linux routers with and without a rule that drops what nobody asked for.
\`node test/lab/measure-miredo.ts\` (root, four minutes) measures Miredo’s anew; it came out the same on 2026-11-21. Miredo fails in ${
    Object.values(MIREDO_PAIRS)
      .flatMap((each) => Object.values(each))
      .filter((each) => each === 'fail').length
  } of 25.

${miredo()}

## Guessing ports where nothing else leads through

With \`"birthdayProbing": true\` at both clients (it is off by default) a pair that RFC 6081 gives up is tried further. The one behind the
symmetric NAT opens 64 ports, the other sends to 1,024 ports of its address, 200 a second; if both NATs are symmetric they take turns, and
begin near the ports that are to be foreseen. That happens when two bubbles were in vain, twice at most, and only with a peer of the same
server that has agreed with our nonce; a first packet then takes 4 to 16 s. By the “birthday paradox” one of 64 open ports among 64,512 is
hit in the first round with a probability of 1 − e^(−64 · 1,024 / 64,512) = 64 %, and in either with 1 − e^(−3 · 64 · 1,024 / 64,512) =
95 %: in the second the ports guessed in the first are still let in. What the simulator shows (${GUESSED.seeds} networks a
line; “sent” counts the datagrams of both clients, an IPv4 datagram of a probe has 74 bytes):

${guessed()}

With the kernel’s own NAT and our real clients IPk and PPr meet, too, whoever begins (\`test/long/probing.test.ts\`).

Nothing comes of it where both NATs let in only the port that they sent to and neither port can be foreseen (the last lines): to meet
there, both would have to send to each other’s 64,512 ports from each port of theirs. Nor does it begin where a bubble gets through one
way only, as from NATs that let in everybody: the one who heard it takes the way for open.

## What is left out

A client behind a symmetric NAT can open a way to a peer of another server only if that server forwards its bubble: RFC 4380
§5.3.1 lets a server refuse a source whose address names another port than the bubble came from, which is every such client at every
server but its own. Ours refuses it. The other direction works: the peer’s bubble goes through the client’s own server.
`;
}
