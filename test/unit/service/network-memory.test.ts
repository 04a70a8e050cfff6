// Names networks by prefix, suffixes and router, and checks what is remembered where.
import { expect, test } from 'vitest';
import { linkAddresses } from '../../../engine/host/linux-neighbours.ts';
import { NetworkMemory } from '../../../engine/service/network-memory.ts';
import { NOTHING } from '../../../engine/service/state-file.ts';
import type { Remembered, StateStore } from '../../../engine/service/state-file.ts';
import { parseIp4 } from '../../../engine/wire/index.ts';

const HOME = '02:00:00:00:00:01';
const OTHER = '02:00:00:00:00:02';

class MemoryState implements StateStore {
  value: Remembered = NOTHING;
  damaged = false;
  update(change: Partial<Remembered>): void {
    this.value = { ...this.value, ...change };
  }
  note = (change: Partial<Remembered>): void => this.update(change);
  flush = (): void => undefined;
}

function at(routers: readonly string[] | null, own = '192.168.1.10') {
  return {
    networks: [{ interface: 'e0', address: parseIp4(own)!, prefix: 24 }],
    ...{ nativeIpv6: false, ipv4: true, route: '', routers, suffixes: ['lan'] },
  };
}

test('two homes with the same prefix and suffixes are two networks, whatever address this PC has there', () => {
  const memory = new NetworkMemory(new MemoryState());
  memory.take(at([HOME]));
  memory.choose('off');
  memory.take(at([OTHER]));
  expect(memory.chosen()).toBe(undefined);
  memory.choose('on');
  memory.take(at([HOME], '192.168.1.77'));
  expect(memory.chosen()).toBe('off');
  expect(memory.choices()).toEqual({ [memory.id!]: 'off' });
});

test('while the router is not known the strictest choice for the homes that it could be holds', () => {
  const memory = new NetworkMemory(new MemoryState());
  memory.take(at([HOME]));
  memory.choose('off');
  memory.take(at([OTHER]));
  memory.choose('on');
  memory.take(at(null));
  expect(memory.chosen()).toBe('off');
});

test('what was chosen before the router was known is its own', () => {
  const memory = new NetworkMemory(new MemoryState());
  memory.take(at(null));
  memory.choose('off');
  memory.take(at([HOME]));
  expect(memory.chosen()).toBe('off');
  memory.take(at([OTHER]));
  expect(memory.chosen()).toBe(undefined);
});

test('what an earlier version remembered by prefix alone is the first network’s that fits, and its interval', () => {
  const state = new MemoryState();
  const former = '192.168.1.10/24 lan';
  state.update({ networks: { [former]: 'ask', else: 'on' }, intervals: { [former]: 45_000 } });
  const memory = new NetworkMemory(state);
  memory.take(at(null));
  expect(memory.chosen()).toBe('ask');
  memory.take(at([HOME]));
  expect(memory.chosen()).toBe('ask');
  expect(state.value.networks).toEqual({ [memory.id!]: 'ask', else: 'on' });
  expect(state.value.intervals).toEqual({ [memory.id!]: 45_000 });
});

test('routers are found in the kernel’s table by address and interface, once they are known', () => {
  const table = `IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         ${HOME}     *        e0
192.168.1.1      0x1         0x2         ${OTHER}     *        e1
192.168.1.2      0x1         0x0         00:00:00:00:00:00     *        e0
`;
  const router = (address: string, name: string) => ({
    address: parseIp4(address)!,
    interface: name,
  });
  expect(linkAddresses([router('192.168.1.1', 'e0')], table)).toEqual([HOME]);
  expect(linkAddresses([router('192.168.1.1', 'e1')], table)).toEqual([OTHER]);
  const both = [router('192.168.1.1', 'e1'), router('192.168.1.1', 'e0')];
  expect(linkAddresses(both, table)).toEqual([HOME, OTHER]);
  expect(linkAddresses([router('192.168.1.2', 'e0')], table)).toBe(null);
  expect(linkAddresses([router('192.168.1.9', 'e0')], table)).toBe(null);
  expect(linkAddresses([], table)).toEqual([]);
});
