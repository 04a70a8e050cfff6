// The native datapath on real sockets and a socket pair as its adapter, through the contract of every datapath.
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { beforeAll } from 'vitest';
import { nativeAddon } from '../../../engine/host/addon.ts';
import { formatIp4, parseIp4 } from '../../../engine/wire/index.ts';
import type { Endpoint } from '../../../engine/wire/index.ts';
import { datapathContract } from '../datapath/contract.ts';
import type { DatapathHarness, Taken } from '../datapath/contract.ts';
import { buildAddon, LOOPBACK, watched } from './line.ts';

beforeAll(buildAddon, 120_000);

type Sent = Taken['transmitted'][number];

/** A socket of somebody on loopback, and its endpoint. */
async function listen(ip: string, onDatagram: (sent: Sent) => void): Promise<[Socket, Endpoint]> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, ip, resolve));
  const endpoint = { ip: parseIp4(ip)!, port: socket.address().port };
  socket.on('message', (bytes) => onDatagram({ to: endpoint, bytes: new Uint8Array(bytes) }));
  return [socket, endpoint];
}

datapathContract('native', async ({ validMs }) => {
  const addon = nativeAddon();
  const [near, far] = addon.socketpair();
  const under = watched(near, { ip: LOOPBACK, port: 0 }, validMs);
  // Without tables it hands up every packet; `deliver` writes one.
  const programs = watched(far, { ip: LOOPBACK, port: 0 });
  let transmitted: Sent[] = [];
  const sockets = await Promise.all(
    ['127.0.0.1', '127.0.0.1', '127.0.0.2'].map((ip) =>
      listen(ip, (entry) => transmitted.push(entry)),
    ),
  );
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  const harness: DatapathHarness = {
    datapath: under.datapath,
    endpoints: sockets.map(([, endpoint]) => endpoint) as unknown as DatapathHarness['endpoints'],
    now: () => addon.now(),
    advance: sleep,
    fromAdapter: (packet) => {
      // A full socket pair refuses; an adapter's queue would lose silently, and no test could count.
      const pause = new Int32Array(new SharedArrayBuffer(4));
      const refused = (): number => programs.datapath.counters()['deliverErrors']!;
      for (let before = refused(), tries = 0; tries < 2_000; before = refused(), tries++) {
        programs.datapath.deliver(packet);
        if (refused() === before) return;
        Atomics.wait(pause, 0, 0, 1);
      }
      throw new Error('the datapath reads its adapter no more');
    },
    fromSocket: (from, bytes) => {
      const [socket] = sockets.find(([, e]) => e.ip === from.ip && e.port === from.port)!;
      socket.send(bytes, under.datapath.local.port, formatIp4(LOOPBACK));
    },
    whileBusy: (play) => {
      play();
      return Promise.resolve();
    },
    take: async () => {
      const size = (): number =>
        transmitted.length + programs.upcalls.length + under.upcalls.length;
      // Quiet for a while. On a busy machine a thread has to wait for its turn: a sleep that lasted too long counts for nothing.
      for (let quiet = 0, ticks = 0, last = -1; quiet < 8 && ticks < 1_000; ticks++) {
        const before = performance.now();
        await sleep(5);
        const late = performance.now() - before > 10;
        quiet = size() !== last ? 0 : late ? quiet : quiet + 1;
        last = size();
      }
      const taken: Taken = {
        transmitted,
        delivered: programs.upcalls.flatMap((u) => (u.kind === 'packet' ? [u.bytes] : [])),
        upcalls: [...under.upcalls],
      };
      transmitted = [];
      programs.upcalls.length = 0;
      under.upcalls.length = 0;
      return taken;
    },
    close: async () => {
      under.datapath.close();
      programs.datapath.close();
      await Promise.all(sockets.map(([s]) => new Promise<void>((r) => void s.close(() => r()))));
    },
  };
  return harness;
});
