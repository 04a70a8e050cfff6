// Module bench/meters measures through a tunnel with the tools that anybody has: ping and iperf3.
import type { Home, Lab } from '../lab/kit/lab.ts';
import { sleep } from '../lab/kit/processes.ts';

/** Round-trip times of `count` pings, ms. */
export async function ping(
  lab: Lab,
  space: string,
  to: string,
  count: number,
  interval: number,
): Promise<number[]> {
  const family = to.includes(':') ? '-6' : '-4';
  const args = [family, '-n', '-c', `${count}`, '-i', `${interval}`, '-W', '5', to];
  const { out } = await lab.run(space, 'ping', args, { timeoutMs: 60_000 });
  return [...out.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}

export interface Transfer {
  readonly mbits: number;
  readonly retransmits: number;
}

/** iperf3 from the PC `from` to a server that is started in the namespace `to`. */
export async function tcp(
  lab: Lab,
  from: Home,
  to: string,
  address: string,
  seconds: number,
): Promise<Transfer> {
  const server = lab.start(to, 'iperf3', ['-s', '-1']);
  await sleep(300);
  const args = ['-c', address, '-t', `${seconds}`, '-J'];
  const { out } = await lab.run(from.space, 'iperf3', args, { timeoutMs: 60_000 });
  await server.stop();
  const { end } = JSON.parse(out) as {
    end: { sum_received: { bits_per_second: number }; sum_sent: { retransmits: number } };
  };
  return {
    mbits: end.sum_received.bits_per_second / 1e6,
    retransmits: end.sum_sent.retransmits,
  };
}
