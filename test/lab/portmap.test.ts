// Tries port mapping at a real router daemon (miniupnpd) in front of a symmetric NAT: by PCP, NAT-PMP and UPnP-IGD.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { DoctorReport } from '../../engine/service/doctor-calls.ts';
import { Lab, noLab } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import {
  leavesNothing,
  QUALIFIED_MS,
  SLOW,
  startMiredoServer,
  startShipworm,
} from './kit/programs.ts';
import type { Shipworm } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** The daemon refuses to serve an address that is kept for documents, so it names another. */
const NAMED = '203.0.114.77';
/** For each test its own: the router remembers the ways of those before. */
let port = 50_123;

/**
 * A router with a port of its own for each destination, but for what its daemon maps: that comes first. In the words of iptables,
 * which this build of the daemon writes.
 */
const NAT = `*nat
:MINIUPNPD - [0:0]
:MINIUPNPD-POSTROUTING - [0:0]
-A PREROUTING -i e0 -j MINIUPNPD
-A POSTROUTING -o e0 -j MINIUPNPD-POSTROUTING
-A POSTROUTING -o e0 -j MASQUERADE --random-fully
COMMIT
*filter
:MINIUPNPD - [0:0]
-A FORWARD -i e0 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -i e0 -j MINIUPNPD
-A FORWARD -i e0 -j DROP
`;
/** PCP's requests begin with its version, 2; NAT-PMP's with 0 (RFC 6887 §9). */
const NO_PCP = '-A INPUT -p udp --dport 5351 -m u32 --u32 0>>22&0x3C@8>>24=2 -j DROP\n';

interface Offers {
  readonly upnp: boolean;
  readonly pmp: boolean;
  readonly pcp: boolean;
}

describe.skipIf(reason !== null)('a router that maps ports', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    lab.keep();
  });
  afterEach(() => lab.stopPrograms());
  afterAll(() => lab.close());

  /** Starts the router with what it is to offer. */
  async function startRouter(offers: Offers): Promise<void> {
    const { router } = lab.home1;
    execFileSync('ip', ['netns', 'exec', router, 'nft', 'flush', 'ruleset']);
    const input = `${NAT}${offers.pcp ? '' : NO_PCP}COMMIT\n`;
    execFileSync('ip', ['netns', 'exec', router, 'iptables-legacy-restore'], { input });
    const yes = (on: boolean): string => (on ? 'yes' : 'no');
    const file = join(lab.folder, 'miniupnpd.conf');
    writeFileSync(
      file,
      [
        'ext_ifname=e0',
        'http_port=5000',
        `ext_ip=${NAMED}`,
        'listening_ip=in',
        `enable_upnp=${yes(offers.upnp)}`,
        `enable_natpmp=${yes(offers.pmp)}`,
        'secure_mode=yes',
        'system_uptime=yes',
        'uuid=253ce149-7d9c-4f76-bacf-7992cdcc43df',
        'upnp_forward_chain=MINIUPNPD',
        'upnp_nat_chain=MINIUPNPD',
        'upnp_nat_postrouting_chain=MINIUPNPD-POSTROUTING',
        'allow 1024-65535 0.0.0.0/0 1024-65535',
        '',
      ].join('\n'),
    );
    const pid = join(lab.folder, 'miniupnpd.pid');
    const daemon = lab.start(router, '/usr/sbin/miniupnpd', ['-d', '-f', file, '-P', pid]);
    await daemon.says(offers.upnp ? /HTTP listening/ : /Listening for NAT-PMP/, 3_000 * SLOW);
  }

  const rules = (): string =>
    execFileSync('ip', ['netns', 'exec', lab.home1.router, 'iptables-legacy-save', '-t', 'nat'], {
      encoding: 'utf8',
    });

  async function start(...args: string[]): Promise<Shipworm> {
    port += 10;
    const place = startShipworm(lab, lab.home1, ['--port', String(port), '--expose-all', ...args]);
    await place.becomes('qualified', QUALIFIED_MS, ({ state }) => state === 'qualified');
    return place;
  }

  /** Does what a stranger sends to that port of the router come to the client? One who was never written to. */
  async function letsIn(client: Shipworm, outside: number): Promise<boolean> {
    const refused = async (): Promise<number> =>
      (await client.status()).counters.discards['indicatorUnknown'] ?? 0;
    const before = await refused();
    const send = `printf '\\x00\\x77' > /dev/udp/${lab.home1.outside}/${outside}`;
    await lab.run(lab.relay, 'bash', ['-c', send]);
    return eventually('it comes in', 2_000, async () => (await refused()) > before).catch(
      () => false,
    );
  }

  test('without a mapping it is symmetric, and the doctor says what would help', async () => {
    await startRouter({ upnp: true, pmp: true, pcp: true });
    const client = await start();
    await client.becomes('symmetric', QUALIFIED_MS, ({ nat }) => nat === 'symmetric');
    const report = JSON.parse((await client.cli('doctor', '--json')).out) as DoctorReport;
    const { checks, verdict } = report;
    for (const code of ['upnp', 'nat-pmp', 'pcp'])
      expect(checks.find((each) => each.code === code)).toMatchObject({ result: 'good' });
    expect(verdict).toMatchObject({ ok: true, code: 'limited', check: 'nat' });
    expect(verdict.text).toMatch(/port mapping/i);
    expect(rules()).not.toMatch(/DNAT/);
    expect(await letsIn(client, port)).toBe(false);
  });

  test.each<[string, Offers]>([
    ['pcp', { upnp: false, pmp: true, pcp: true }],
    ['nat-pmp', { upnp: false, pmp: true, pcp: false }],
    ['upnp', { upnp: true, pmp: false, pcp: false }],
  ])('%s makes it a cone for the tunnel, and is given back at the end', async (method, offers) => {
    await startRouter(offers);
    const client = await start('--port-mapping');
    const { mapped, portMapping } = await client.becomes(
      'one port for both addresses of the server',
      QUALIFIED_MS,
      ({ nat }) => nat !== 'unknown',
    );
    expect(portMapping).toMatchObject({ state: 'mapped', method, users: false });
    // Another one outside: the daemon translates the way out only where they differ.
    const outside = port + 1;
    expect(portMapping.external).toBe(`${NAMED}:${outside}`);
    const { nat } = await client.status();
    expect([nat, mapped]).toEqual(['restricted', `${lab.home1.outside}:${outside}`]);
    expect(rules()).toMatch(new RegExp(`dport ${outside} -j DNAT`));
    expect(await letsIn(client, outside)).toBe(true);
    expect((await client.cli('status')).out).toMatch(
      new RegExp(`Port +The router maps .*:${outside}`),
    );
    await client.program.stop();
    await eventually('the router forgets it', 3_000 * SLOW, () => !/DNAT/.test(rules()));
    await leavesNothing(client.home, client.place);
  });

  /** Maps as another program of the user's would: by curl, under a name of its own. */
  async function mapByHand(client: string, mapped: number): Promise<void> {
    const gateway = lab.home1.inside.replace(/10$/, '1');
    const values = {
      NewRemoteHost: '',
      NewExternalPort: mapped,
      NewProtocol: 'UDP',
      NewInternalPort: mapped,
      NewInternalClient: client,
      NewEnabled: 1,
      NewPortMappingDescription: 'by hand',
      NewLeaseDuration: 0,
    };
    const inner = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
    const service = 'urn:schemas-upnp-org:service:WANIPConnection:1';
    const body = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:AddPortMapping xmlns:u="${service}">${inner.join('')}</u:AddPortMapping></s:Body></s:Envelope>`;
    const { out } = await lab.run(lab.home1.space, 'curl', [
      ...['-sS', '-H', `SOAPAction: "${service}#AddPortMapping"`, '--data', body],
      ...['-H', 'Content-Type: text/xml', `http://${gateway}:5000/ctl/IPConn`],
    ]);
    expect(out).toMatch(/AddPortMappingResponse/);
  }

  test('what the user mapped to us is used, and stays', async () => {
    await startRouter({ upnp: true, pmp: false, pcp: false });
    await mapByHand(lab.home1.inside, port + 10);
    const client = await start('--port-mapping');
    const { portMapping } = await client.status();
    expect(portMapping).toMatchObject({ state: 'mapped', method: 'upnp', users: true });
    await client.program.stop();
    await leavesNothing(client.home, client.place);
    expect(rules()).toMatch(new RegExp(`dport ${port} -j DNAT`));
  });
});
