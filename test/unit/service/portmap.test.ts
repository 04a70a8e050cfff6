// Tests port mapping by the bytes of RFC 6886 and RFC 6887, and the keeping of a lease against a router made for it.
import { beforeEach, describe, expect, test } from 'vitest';
import { controlPath } from '../../../engine/host/upnp.ts';
import type { ProbeHost, ProbeOptions } from '../../../engine/host/probe-types.ts';
import { PortMapper } from '../../../engine/service/portmap/mapper.ts';
import {
  buildPcpAnnounce,
  buildPcpMapRequest,
  buildPmpMapRequest,
  parseIp4,
  parsePortmapAnswer,
} from '../../../engine/wire/index.ts';

const ip4 = (text: string): number => parseIp4(text)!;
const GATEWAY = ip4('192.168.1.1');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('the bytes', () => {
  test('of NAT-PMP (RFC 6886 §3.3): version 0, opcode 1, ports, lifetime', () => {
    expect(hex(buildPmpMapRequest(0x1234, 0x5678, 1200))).toBe('0001000012345678000004b0');
    // §3.4: to remove one, both the wanted port and the lifetime are 0.
    expect(hex(buildPmpMapRequest(0x1234, 0x5678, 0))).toBe('000100001234000000000000');
    expect(parsePortmapAnswer(bytes('0081 0000 00000010 1234 5678 00000e10'))).toEqual({
      ...{ kind: 'pmpMap', result: 0, epoch: 16, internalPort: 0x1234 },
      ...{ externalPort: 0x5678, lifetime: 3600 },
    });
    expect(parsePortmapAnswer(bytes('0080 0000 00000010 c6336407'))).toEqual({
      ...{ kind: 'pmpAddress', result: 0, epoch: 16, external: ip4('198.51.100.7') },
    });
  });

  test('of PCP (RFC 6887 §7.1, §11.1): version 2, the sender’s address, nonce, UDP, ports', () => {
    const client = ip4('192.168.1.10');
    const mapped = '00000000000000000000ffffc0a8010a';
    expect(hex(buildPcpAnnounce(client))).toBe(`0200000000000000${mapped}`);
    const nonce = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
    const request = { client, nonce, internalPort: 0x1234, externalPort: 0x5678, lifetime: 1200 };
    const map = '0102030405060708090a0b0c 11000000 1234 5678 00000000000000000000ffff00000000';
    expect(hex(buildPcpMapRequest(request))).toBe(
      `02010000000004b0${mapped}${map.replaceAll(' ', '')}`,
    );
    const answer = `0281 0000 000004b0 00000010 000000000000000000000000 0102030405060708090a0b0c 11000000 1234 9999 00000000000000000000ffffc6336407`;
    expect(parsePortmapAnswer(bytes(answer))).toEqual({
      ...{ kind: 'pcpMap', result: 0, epoch: 16, nonce, internalPort: 0x1234 },
      ...{ externalPort: 0x9999, external: ip4('198.51.100.7'), lifetime: 1200 },
    });
  });

  test.each([
    '',
    '00',
    '0081 0000 00000010 1234',
    '0281 0000',
    '0001 0000 1234 5678 00000e10',
    'ffff',
  ])('that are none or cut short are nothing: %s', (text) =>
    expect(parsePortmapAnswer(bytes(text))).toBeNull(),
  );

  test('of a UPnP description: the control URL stands beside its own service type', () => {
    const service = (type: string, url: string): string =>
      `<service><serviceType>${type}</serviceType><controlURL>${url}</controlURL></service>`;
    const wan = 'urn:schemas-upnp-org:service:WANIPConnection:1';
    const text = `<root>${service('urn:other:1', '/no')}${service(wan, '/ctl/IPConn')}</root>`;
    expect(controlPath(text, wan)).toBe('/ctl/IPConn');
    expect(controlPath('<root/>', wan)).toBeNull();
  });
});

describe('a lease', () => {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  /** Internal port -> external port and lifetime: what the router was asked for, in order. */
  let asked: [number, number, number][] = [];
  /** What the router gives; null: it is silent. */
  let gives: number | null = null;
  let moved = 0;
  let mapper: PortMapper;

  /** A NAT-PMP router, written from RFC 6886 alone. */
  function answer(request: Uint8Array): Uint8Array | null {
    const view = new DataView(request.buffer);
    if (request[0] !== 0 || gives === null) return null;
    if (request[1] === 0) return bytes('0080 0000 00000001 c6336407');
    const lifetime = view.getUint32(8);
    asked.push([view.getUint16(4), view.getUint16(6), lifetime]);
    const reply = new Uint8Array(16);
    const out = new DataView(reply.buffer);
    reply[1] = 129;
    out.setUint16(8, view.getUint16(4));
    out.setUint16(10, lifetime === 0 ? 0 : gives);
    out.setUint32(12, lifetime);
    return reply;
  }

  const host: ProbeHost = {
    now: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return () => (timers = timers.filter((each) => each !== timer));
    },
    random: { bytes: (length) => new Uint8Array(length).fill(7) },
    resolve: () => Promise.reject(new Error('not asked for')),
    findDomain: () => Promise.resolve(null),
    networkState: () =>
      Promise.resolve({
        networks: [{ interface: 'eth0', address: ip4('192.168.1.10'), prefix: 24 }],
        ...{ nativeIpv6: false, ipv4: true, route: '', routers: [], suffixes: [] },
      }),
    openProbe: ({ onDatagram }: ProbeOptions) =>
      Promise.resolve({
        port: 1,
        send: (to, request) => {
          const reply = answer(request);
          if (reply) queueMicrotask(() => onDatagram(to, reply));
        },
        close: () => undefined,
      }),
    answersTcp: () => Promise.resolve(null),
    gateways: () => [GATEWAY],
    resolve6: () => Promise.resolve([]),
    findUpnp: () => Promise.resolve(null),
    machine: () => Promise.reject(new Error('not asked for')),
  };

  /** Lets `ms` go by, timer after timer. */
  async function pass(ms: number): Promise<void> {
    const end = now + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = timers.sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      timers = timers.filter((each) => each !== next);
      now = next.at;
      next.run();
    }
    now = end;
  }

  beforeEach(() => {
    now = 0;
    timers = [];
    asked = [];
    gives = 60_000;
    moved = 0;
    const onMoved = (): void => void (moved += 1);
    mapper = new PortMapper(host, { log: () => undefined, onChange: () => undefined, onMoved });
  });

  async function opened(): Promise<void> {
    const opening = mapper.open(50_000);
    await pass(5_000);
    await opening;
  }

  test('is had, renewed at half its time with the port that it has, and given back', async () => {
    await opened();
    expect(mapper.state()).toMatchObject({
      ...{ state: 'mapped', method: 'nat-pmp', external: '198.51.100.7:60000' },
    });
    expect(asked).toEqual([[50_000, 50_001, 1_200]]);
    await pass(601_000);
    expect(asked.slice(1)).toEqual([[50_000, 60_000, 1_200]]);
    expect(moved).toBe(1);
    const closing = mapper.close();
    await pass(1_000);
    await closing;
    expect(asked.slice(2)).toEqual([[50_000, 0, 0]]);
    expect(mapper.state().state).toBe('idle');
    await pass(3_600_000);
    expect(asked).toHaveLength(3);
  });

  test('that moves is told', async () => {
    await opened();
    gives = 60_001;
    await pass(610_000);
    expect(moved).toBe(2);
    expect(mapper.state().external).toBe('198.51.100.7:60001');
  });

  test('that is lost is asked for again each minute', async () => {
    await opened();
    gives = null;
    await pass(620_000);
    expect(mapper.state().state).toBe('none');
    gives = 60_002;
    await pass(70_000);
    expect(mapper.state()).toMatchObject({ state: 'mapped', external: '198.51.100.7:60002' });
  });

  test('where nobody gives one costs time once', async () => {
    gives = null;
    await opened();
    await mapper.close();
    const begin = now;
    // No time goes by: it resolves at once.
    await mapper.open(50_000);
    expect(now).toBe(begin);
    await mapper.close();
  });
});
