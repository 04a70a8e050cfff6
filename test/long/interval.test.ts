// Tries the refresh interval determination (RFC 4380 §5.2.7) with the kernel's NAT: what it finds is shorter than what the router forgets after, and is remembered.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab, noLab, SERVER } from '../lab/kit/lab.ts';
import { eventually } from '../lab/kit/processes.ts';
import {
  leavesNothing,
  Place,
  SHIPWORM,
  Shipworm,
  SLOW,
  startMiredoServer,
} from '../lab/kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** The router forgets after `FORGETS_S`; the search begins at `BEGINS_S`, so that 10 s are too long and 7.5 s are not. */
const FORGETS_S = 9;
const BEGINS_S = 5;
const FOUND_MS = 7_500;
/** Two candidates, and four bubbles 2 s apart for the one that fails. */
const SEARCH_MS = 10_000 + 4 * 2_000 + FOUND_MS;

describe.skipIf(reason !== null)('refresh interval determination', () => {
  let lab: Lab;
  let place: Place;

  beforeAll(async () => {
    lab = new Lab();
    await startMiredoServer(lab);
    const names = ['udp_timeout', 'udp_timeout_stream'];
    execFileSync('ip', [
      ...['netns', 'exec', lab.home1.router, 'sysctl', '-qw'],
      ...names.map((name) => `net.netfilter.nf_conntrack_${name}=${FORGETS_S}`),
    ]);
    place = new Place(lab, 'searching');
    const settings = { intervalSearch: true, refreshInterval: BEGINS_S, exposeAll: true };
    writeFileSync(place.config, JSON.stringify({ server: SERVER, ...settings }));
  });
  afterAll(() => lab.close());

  function start(): Shipworm {
    const args = ['client', '--config', place.config, '--port', '40003'];
    const program = lab.start(lab.home1.space, SHIPWORM, args, place.env);
    return new Shipworm(lab, lab.home1, place, program);
  }

  function remembered(): number[] {
    const file = join(place.env['XDG_STATE_HOME']!, 'shipworm/client.json');
    const { intervals } = JSON.parse(readFileSync(file, 'utf8')) as {
      intervals: Record<string, number>;
    };
    return Object.values(intervals);
  }

  test('a mapping that the router forgets after 9 s is refreshed in time, as seldom as possible, and the network remembered', async () => {
    const searching = start();
    await searching.address();
    await searching.program.says(/keeps its mappings for \d+ s at least/, SEARCH_MS * SLOW);
    const found = remembered();
    expect(found).toHaveLength(1);
    expect(found[0]).toBeGreaterThanOrEqual(FOUND_MS);
    expect(found[0]).toBeLessThan(FORGETS_S * 1_000);
    const { mapped: before } = await searching.status();
    await searching.program.stop();
    await leavesNothing(lab.home1, place);

    // Once more on the same network: no search, and the interval that was found.
    const dump = lab.start(lab.home1.space, 'tcpdump', [
      ...['-Z', 'root', '-l', '-n', '-tt', '--immediate-mode', '-i', 'e0'],
      `udp and dst host ${SERVER}`,
    ]);
    await dump.says(/listening/, 10_000);
    const again = start();
    await again.address();
    await again.becomes('restricted', 4_000 * SLOW, ({ nat }) => nat === 'restricted');
    const asked = (): number[] =>
      [...dump.out.matchAll(/^([\d.]+) IP/gm)].map((match) => Number(match[1]) * 1_000);
    const start1 = asked().length;
    await eventually('two refreshes', 2 * FOUND_MS * SLOW, () => asked().length >= start1 + 2);
    const times = asked().slice(start1 - 1);
    // §5.2.5: each wait is drawn from 75 % to 100 % of the interval; with 5 s it would be 5 s at most.
    expect(Math.max(...times.slice(1).map((at, i) => at - times[i]!))).toBeGreaterThan(5_000);
    expect(dump.out).not.toMatch(/192\.168\.1\.10\.(?!40003)\d+ >/);
    expect((await again.status()).mapped).toBe(before);
    await again.program.stop();
    await dump.stop();
    await leavesNothing(lab.home1, place);
  });
});
