// Tests the problem report: one test a pattern that is taken out, and that nothing of somebody's is left, whatever stands around it.
import fc from 'fast-check';
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { hostname, userInfo } from 'node:os';
import { startBuiltIn } from '../../../engine/service/builtin/start.ts';
import type { RunningBuiltIn } from '../../../engine/service/builtin/start.ts';
import { Redactor } from '../../../engine/service/report/redact.ts';
import type { Personal } from '../../../engine/service/report/redact.ts';
import { encodeTeredo, formatIp4, formatIp6, parseIp4 } from '../../../engine/wire/index.ts';

const PERSONAL: Personal = {
  hostNames: ['kirschbaum'],
  userNames: ['ana.lopez', 'root'],
  homes: ['/srv/people/ana'],
  secrets: ['hunter2!', 'me@server'],
};
const redact = (text: string): string => new Redactor(PERSONAL).text(text);

const TEREDO = formatIp6(
  encodeTeredo({
    server: parseIp4('203.0.113.7')!,
    flags: 0,
    client: { ip: parseIp4('198.51.100.9')!, port: 40_000 },
  }),
);

test('any home is taken out, whatever signs its path is made of', () => {
  for (const home of ['/srv/my-people/ana', '/srv/a+b (c)/[d]', '/srv/x.y*z^$|\\{1}']) {
    const text = new Redactor({ ...PERSONAL, homes: [home] }).text(`read ${home}/x.json: no`);
    expect(text).toBe('read <path-1>: no');
  }
});

describe('a pattern', () => {
  test.each([
    ['an IPv4 address', 'sent to 198.51.100.9:3544.', 'sent to <ipv4-1>:3544.'],
    ['a private one', '192.168.1.20/24 is ours', '<private-ipv4-1>/24 is ours'],
    ['an IPv6 address', 'at [2001:db8::80]:443', 'at [<ipv6-1>]:443'],
    ['one before a colon', '2001:db8::1: no answer', '<ipv6-1>: no answer'],
    ['one at the end', 'from 2001:DB8:0::1.', 'from <ipv6-1>.'],
    ['one with its zone', 'on fe80::1c2:3ff:fe04:506%eth0', 'on <link-local-1>%eth0'],
    ['an IPv4 address in an IPv6 one', 'by ::ffff:198.51.100.9!', 'by <ipv6-1>!'],
    ['a MAC address', 'card 00:1b:44:11:3a:b7 and 00-1B-44-11-3A-B7', 'card <mac-1> and <mac-1>'],
    ['the host name', 'Kirschbaum is this PC', '<host-1> is this PC'],
    ['another host name', 'asking teredo.example.net now', 'asking <host-1> now'],
    ['a host name with an address in it', 'is 1-2-3-4.dyn.example.org', 'is <host-1>'],
    ['a user', 'by ana.lopez (1000)', 'by <user-1> (1000)'],
    ['a home', 'run /home/bob/My Games/foo, twice', 'run <path-1>, twice'],
    ['the home of who runs it', 'read /srv/people/ana/x y.json: no', 'read <path-1>: no'],
    ['an e-mail address', 'mail bob.b@example.org please', 'mail <email-1> please'],
    ['an SSID', 'SSID "Ana at home", channel 3', 'SSID <ssid-1>, channel 3'],
    ['a key', 'key hunter2! for me@server', 'key <secret-1> for <secret-2>'],
    ['a hash', `file ${'0a'.repeat(32)}`, 'file <code-1>'],
    ['a token', 'is ABCDEFGHabcdefgh0123456789abcdefghijk=', 'is <code-1>'],
  ])('%s', (_name, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test('a Teredo address: server and client get the names that they have alone', () => {
    expect(redact(`${TEREDO} by 203.0.113.7, mapped 198.51.100.9:40000`)).toBe(
      '<teredo-1 server=ipv4-1 client=ipv4-2> by <ipv4-1>, mapped <ipv4-2>:40000',
    );
  });

  test('the same thing has one name, however it is written; another has another', () => {
    expect(redact('2001:db8::80 2001:0DB8:0:0:0:0:0:80 2001:db8::81')).toBe(
      '<ipv6-1> <ipv6-1> <ipv6-2>',
    );
  });

  test.each([
    'qualified at 12:34:56.789',
    'root may; 127.0.0.1, :: and ::1 are everybody’s',
    '/usr/bin/curl and /usr/lib/x/foo.bar, client.json',
    'server-silent: 3 of 4 in 12.5 ms (version 0.1.0)',
    '2026-11-21T14:00:00.000Z info Stopping.',
  ])('what is nobody’s stays: %s', (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe('nothing of somebody’s is left', () => {
  const ip4 = fc
    .tuple(fc.integer({ min: 1, max: 126 }), fc.nat(255), fc.nat(255), fc.nat(255))
    .map((each) => each.join('.'));
  const port = fc.integer({ min: 1, max: 65_535 });
  const ip6 = fc
    .tuple(fc.integer({ min: 0x2003, max: 0x3fff }), fc.bigInt({ min: 1n, max: (1n << 112n) - 1n }))
    .map(([head, rest]) => formatIp6((BigInt(head) << 112n) | rest));
  const label = fc.stringMatching(/^[a-z][a-z0-9-]{2,10}[a-z0-9]$/);
  const hex2 = fc.stringMatching(/^[0-9a-f]{2}$/);
  const around = fc.constantFrom(' ', ' (', ', ', '" ', "' ", '\n', '[', '] ', '; ', '=', ' -> ');
  /** Texts that must be gone, and how they are put into the text. */
  const thing = fc.oneof(
    ip4.map((text) => ({ text, gone: [text] })),
    ip6.map((text) => ({ text, gone: [text] })),
    fc.tuple(ip4, ip4, port).map(([server, client, number]) => {
      const text = formatIp6(
        encodeTeredo({
          server: parseIp4(server)!,
          flags: 0,
          client: { ip: parseIp4(client)!, port: number },
        }),
      );
      return { text, gone: [text, server, client, text.split(':').slice(-2).join(':')] };
    }),
    fc
      .array(hex2, { minLength: 6, maxLength: 6 })
      .map((each) => ({ text: each.join(':'), gone: [each.join(':')] })),
    fc.tuple(label, label).map(([a, b]) => ({ text: `${a}.${b}.example`, gone: [`${a}.${b}`] })),
    label.map((name) => ({ text: `/home/${name}/${name} x`, gone: [`/home/${name}`] })),
    fc
      .constantFrom(...PERSONAL.secrets, 'kirschbaum', 'KIRSCHBAUM', 'ana.lopez')
      .map((text) => ({ text, gone: [text] })),
  );

  test('whatever stands around it, and wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(around, thing, around), { minLength: 1, maxLength: 8 }),
        (parts) => {
          const text = parts
            .map(([before, { text: each }, after]) => before + each + after)
            .join('');
          const redactor = new Redactor(PERSONAL);
          const found = JSON.stringify(redactor.value({ [text]: [text, { deep: text }], n: 1 }));
          // Names that the report gives are no originals.
          const rest = found.replace(/<[^<>]*>/g, '<>').toLowerCase();
          for (const [, { gone }] of parts)
            for (const original of gone.filter((each) => each.length > 2 && !/^\d*$/.test(each)))
              expect(rest).not.toContain(original.toLowerCase());
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the report of a client', () => {
  let client: RunningBuiltIn;
  afterEach(() => client.close());

  it('has state, settings, log, doctor and counters, and no address, host, user or PC by name', async () => {
    client = await startBuiltIn(
      // No faster than life: it must not fall asleep meanwhile.
      { control: null, speed: 1 },
      { log: () => undefined, onFailed: () => undefined },
    );
    const { api } = client;
    await vi.waitFor(() => expect(client.status().state).toBe('qualified'), 20_000);
    await api.setPc({ name: 'Grandmother', target: 'gran.example' });
    await api.servers({ probe: true });
    const { text } = await api.report({});
    const report = JSON.parse(text) as Record<string, { [name: string]: unknown }>;
    expect(Object.keys(report)).toEqual(
      expect.arrayContaining([
        'versions',
        'status',
        'settings',
        'log',
        'doctor',
        'servers',
        'flows',
      ]),
    );
    expect(report['status']!['state']).toBe('qualified');
    const { address, server, mapped } = client.status();
    expect(report['status']!['address']).toMatch(/^<teredo-\d+ server=ipv4-\d+ client=/);
    const originals = [
      address!,
      server!,
      mapped!,
      'Grandmother',
      'gran.example',
      'teredo-1.example',
    ];
    for (const original of originals) {
      expect(text).not.toContain(original);
      expect(text).not.toContain(original.replace(/:\d+$/, ''));
    }
    for (const own of [hostname(), userInfo().username].filter((each) => each !== 'root'))
      expect(text.toLowerCase()).not.toMatch(new RegExp(`\\b${own.toLowerCase()}\\b`));
    expect(text).not.toContain(formatIp4(parseIp4(server!.replace(/:\d+$/, ''))!));
  });
});
