// Tries what is forwarded for a container behind our own address: it neither leaves nor gets in, whatever its port.
import { execFileSync, spawnSync } from 'node:child_process';
import { afterEach, describe, expect, test } from 'vitest';
import { Actor, allows, FAR, Field, NEAR } from './kit/field.ts';
import { noLab } from './kit/lab.ts';
import { eventually } from './kit/processes.ts';
import { SLOW } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

const QUIET_MS = 300;
const SOON_MS = 3_000 * SLOW;
const HOST = 'fd00::1';
const INSIDE = 'fd00::2';
/** Of the allowed program of the host; the container's program takes the same. */
const PORT = 5200;
const FAR_PORT = 4000;

const nft = (space: string, input: string): void =>
  void execFileSync('ip', ['netns', 'exec', space, 'nft', '-f', '-'], { input });
const tables = (space: string): string =>
  execFileSync('ip', ['netns', 'exec', space, 'nft', 'list', 'tables'], { encoding: 'utf8' });

/** A container of `space` at INSIDE, whose packets are masqueraded as those of its host. Gives its namespace. */
function makeBox(space: string): string {
  const box = `${space}b`;
  const ip = (...args: string[]): void => void execFileSync('ip', args);
  ip('netns', 'add', box);
  ip('link', 'add', 'box', 'netns', space, 'type', 'veth', 'peer', 'name', 'e0', 'netns', box);
  ip('-n', space, 'addr', 'add', `${HOST}/64`, 'dev', 'box', 'nodad');
  ip('-n', space, 'link', 'set', 'box', 'up');
  ip('-n', box, 'addr', 'add', `${INSIDE}/64`, 'dev', 'e0', 'nodad');
  ip('-n', box, 'link', 'set', 'e0', 'up');
  ip('-n', box, 'link', 'set', 'lo', 'up');
  ip('-n', box, 'route', 'add', 'default', 'via', HOST);
  ip('netns', 'exec', space, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  nft(
    space,
    `table ip6 n {
      chain out {
        type nat hook postrouting priority 100
        oifname "teredo" masquerade
      }
    }`,
  );
  return box;
}

describe.skipIf(reason !== null)('what is forwarded for a container', () => {
  let field: Field;
  let box = '';
  const actors: Actor[] = [];
  afterEach(async () => {
    for (const actor of actors.splice(0)) actor.kill();
    await field.close();
    if (box) spawnSync('ip', ['netns', 'del', box]);
    box = '';
  });

  interface Situation {
    readonly name: string;
    readonly mode: 'programs' | 'sock-diag';
    /** Capabilities that the helper has not. */
    readonly lacks: readonly string[];
    /** The kernel takes no table of ours: the adapter's own filter is all there is, and it knows one way. */
    readonly withoutTables?: boolean;
  }
  const NO_PROGRAMS = ['bpf', 'perfmon', 'sys_admin'];
  const SITUATIONS: readonly Situation[] = [
    { name: 'with programs in the kernel', mode: 'programs', lacks: [] },
    { name: 'where the kernel takes no programs', mode: 'sock-diag', lacks: NO_PROGRAMS },
    { name: 'where it takes no tables', mode: 'programs', lacks: [], withoutTables: true },
  ];

  test.each(SITUATIONS)('$name it stays outside', async ({ mode, lacks, withoutTables }) => {
    field = new Field();
    // Nobody can make a table whose name is taken.
    const taken = Array.from({ length: 20 }, (_, index) => `add table ip6 shipworm-${index}`);
    await field.open({ lacks, prepare: (near) => withoutTables && nft(near, taken.join('\n')) });
    // Without the right to mark files it is said that starts are looked for.
    expect(field.owners).toMatchObject({ mode, startsSeen: lacks.length === 0 });
    const { nearSpace } = field;
    const allowed = field.program('allowed');
    field.decide = allows(allowed);
    const far = await field.act(allowed, true);
    await far.do('udp u');
    await far.do(`bind u :: ${FAR_PORT}`);
    const host = await field.act(allowed);
    await host.do('udp u');
    await host.do(`bind u :: ${PORT}`);
    // The host's own program goes both ways.
    await host.do(`send u ${FAR} ${FAR_PORT} good`);
    expect(await far.do(`recv u ${SOON_MS}`)).toBe('good');
    await far.do(`send u ${NEAR} ${PORT} good`);
    expect(await host.do(`recv u ${SOON_MS}`)).toBe('good');

    box = makeBox(nearSpace);
    const inside = new Actor(box, field.program('inside'), []);
    actors.push(inside);
    expect(await inside.heard()).toBe('ready');
    await inside.do('udp u');
    await inside.do(`bind u :: ${PORT}`);
    // The container is there, and has a way to its host.
    await eventually('the host is heard inside', SOON_MS, async () => {
      await host.do(`send u ${INSIDE} ${PORT} near`);
      return (await inside.do(`recv u ${QUIET_MS}`)) === 'near';
    });
    const before = field.asked.length;
    for (let i = 0; i < 3; i++) await inside.do(`send u ${FAR} ${FAR_PORT} bad`);
    expect(await far.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    // It did not even come to be asked about.
    expect(field.asked.slice(before)).toEqual([]);
    if (withoutTables) return;

    // Somebody reloads his firewall: ours is nobody else's to remove.
    nft(nearSpace, 'flush ruleset');
    // A port that is published: what comes to the allowed program's port goes to the container.
    nft(
      nearSpace,
      `table ip6 n {
        chain in {
          type nat hook prerouting priority -100
          iifname "teredo" udp dport ${PORT} dnat to ${INSIDE}
        }
      }`,
    );
    const sender = await field.act(allowed, true);
    await sender.do('udp u');
    await sender.do(`send u ${NEAR} ${PORT} bad`);
    expect(await inside.do(`recv u ${QUIET_MS}`)).toBe('nothing');
    expect(tables(nearSpace)).toMatch(/table ip6 shipworm-\d/);
  });
});
