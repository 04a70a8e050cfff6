// Facts of a healthy PC behind a restricted NAT, to be changed by the doctor's tests.
import type { Facts, Offer, ServerFacts } from '../../../engine/service/doctor/facts.ts';
import { say } from '../../../engine/service/doctor/sayings.ts';
import { NOT_ASKED } from '../../../engine/service/portmap/state.ts';
import { parseIp4 } from '../../../engine/wire/index.ts';

export const ip4 = (text: string): number => parseIp4(text)!;
const MAPPED = { ip: ip4('198.51.100.7'), port: 40_000 };

export const SERVER: ServerFacts = {
  name: 'teredo.example',
  server: ip4('192.0.2.1'),
  server2: ip4('192.0.2.2'),
  primary: { rttMs: 20, origin: MAPPED },
  secondary: { rttMs: 21, origin: MAPPED },
  keyRefused: false,
  junk: false,
  refused: null,
  cone: false,
  localPort: 40_000,
  answeredAgoMs: null,
};
const NOBODY = { rttMs: null, origin: null };
export const SILENT: ServerFacts = { ...SERVER, primary: NOBODY, secondary: NOBODY };

const OFFERED: Offer = {
  offered: true,
  seen: say('router-answers', { router: '192.168.1.1', way: 'PCP' }),
};

export const HEALTHY: Facts = {
  engine: null,
  names: [
    { name: 'teredo.example', addresses: [SERVER.server], usable: [SERVER.server], error: null },
  ],
  servers: [SERVER],
  udpOut: { answered: '198.41.0.4:53', refused: null, tcp: true },
  hairpin: true,
  idle: { ms: 32_000, kept: true },
  mapping: {
    upnp: OFFERED,
    natPmp: OFFERED,
    pcp: OFFERED,
    active: null,
  },
  network: {
    ipv4: true,
    nativeIpv6: false,
    addresses: [ip4('192.168.1.10')],
    gateways: [ip4('192.168.1.1')],
  },
  machine: {
    otherTeredo: [],
    teredoRoute: 'teredo',
    native6: null,
    firewall: { readable: true, against: [] },
    helper: { ready: true, state: 'service', at: '/run/helper.sock' },
  },
  managed: { domain: null, policyState: 'default', policyFile: null, enabled: true },
  evenWithNativeIpv6: false,
};

/** A client that runs and has what it needs. */
export const RUNNING: NonNullable<Facts['engine']> = {
  status: {
    state: 'qualified',
    reason: { code: 'qualified', text: 'The tunnel works.' },
    address: '2001:0:c000:201:2811:63bf:39cc:9bf8',
    mtu: 1280,
    server: '192.0.2.1:3544',
    serverName: 'teredo.example',
    serverRttMs: 20,
    mapped: '198.51.100.7:40000',
    nat: 'restricted',
    peerCounts: { known: 3, open: 2 },
    exposure: { mode: 'closed', text: '' },
    offloads: [],
    attribution: null,
    adapter: 'teredo',
    portMapping: NOT_ASKED,
    builtIn: false,
    counters: { discards: {}, datapath: {} },
  },
  localPort: 40_000,
  refreshSeconds: 30,
  sameMappingMs: 600_000,
};
