// Module bench/meters measures through a tunnel with the tool that anybody has: ping.
import type { Lab } from '../lab/kit/lab.ts';

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
