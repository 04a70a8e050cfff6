// Tests of the list of servers: every address of every name, looked up each time, the one in use never.
import { expect, test } from 'vitest';
import { ServerList } from '../../../engine/service/server-list.ts';
import { formatIp4, parseIp4 } from '../../../engine/wire/index.ts';
import type { Ip4 } from '../../../engine/wire/index.ts';

const ip4 = (text: string): Ip4 => parseIp4(text)!;

function list(names: Map<string, string[]>, server2: string | null = null): ServerList {
  const resolve = (name: string): Promise<readonly Ip4[]> => {
    const found = names.get(name);
    return found ? Promise.resolve(found.map(ip4)) : Promise.reject(new Error(`${name}: no.`));
  };
  return new ServerList(resolve, () => ({
    servers: ['a.example', 'b.example', 'c.example'],
    server2,
    allowPrivate: false,
  }));
}

/** The addresses that are asked one after the other while `current` stays silent. */
async function round(servers: ServerList, current: string, count: number): Promise<string[]> {
  const asked: string[] = [];
  for (let last = ip4(current); asked.length < count;) {
    const place = await servers.after(last, ip4(current));
    if (!place) break;
    asked.push(formatIp4(place.server));
    last = place.server;
  }
  return asked;
}

test('Miredo fault 29: all addresses of all names are used, and a name that moved is found', async () => {
  const names = new Map([
    ['a.example', ['9.9.9.1', '9.9.9.2']],
    ['c.example', ['9.9.9.3', '10.0.0.1']],
  ]);
  const servers = list(names);
  expect(await round(servers, '9.9.9.1', 4)).toEqual(['9.9.9.2', '9.9.9.3', '9.9.9.2', '9.9.9.3']);
  names.set('a.example', ['9.9.9.7']);
  names.delete('c.example');
  expect(await round(servers, '9.9.9.1', 2)).toEqual(['9.9.9.7', '9.9.9.7']);
});

test('without another address there is nobody to ask', async () => {
  const servers = list(new Map([['a.example', ['9.9.9.1']]]));
  expect(await servers.after(ip4('9.9.9.1'), ip4('9.9.9.1'))).toBeUndefined();
});

test('the set secondary is the first server’s, the others’ is beside their primary', async () => {
  const servers = list(
    new Map([
      ['a.example', ['9.9.9.1', '9.9.9.5']],
      ['b.example', ['9.9.9.8']],
    ]),
    '8.8.8.8',
  );
  const secondaries = [
    ...(await servers.lookUp('a.example')),
    ...(await servers.lookUp('b.example')),
  ];
  expect(secondaries.map(({ server2 }) => formatIp4(server2))).toEqual([
    '8.8.8.8',
    '9.9.9.6',
    '9.9.9.9',
  ]);
});
