// Follows docs/run-your-own.md word by word: its own commands on a fresh rented machine and on a fresh PC at home behind a NAT.
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lab, NATIVE, noLab, SERVER } from './kit/lab.ts';
import { Machine } from './kit/machine.ts';
import { eventually } from './kit/processes.ts';
import type { Program } from './kit/processes.ts';
import type { Status } from '../../engine/service/api.ts';
import { QUALIFIED_MS } from './kit/programs.ts';

const reason = noLab();
if (reason) process.stderr.write(`skipped: ${reason}\n`);

/** The firewall of a rented machine as Debian's own example has it, closed. */
const FIREWALL = `nft -f - <<'END'
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname lo accept
    meta l4proto { icmp, icmpv6 } accept
    tcp dport 22 accept
  }
  chain forward { type filter hook forward priority filter; policy drop; ct state established,related accept; }
  chain output { type filter hook output priority filter; policy accept; }
}
END`;

interface Step {
  readonly on: 'vps' | 'home';
  /** More that its mark says. */
  readonly note: string;
  readonly script: string;
}

/** The blocks of the guide that are marked to be run, in its order. */
const steps: readonly Step[] = [
  ...readFileSync('docs/run-your-own.md', 'utf8').matchAll(
    /^<!-- on: (vps|home)(?:, ([a-z ]+))? -->\n\n```sh\n([\s\S]*?)^```$/gm,
  ),
].map(([, on, note, script]) => ({ on: on as Step['on'], note: note ?? '', script: script! }));

test('each block of commands in the guide says where it is run', () => {
  const blocks = readFileSync('docs/run-your-own.md', 'utf8').match(/^```sh$/gm);
  expect(steps.length).toBeGreaterThan(8);
  expect(blocks).toHaveLength(steps.length);
});

describe.skipIf(reason !== null)('the guide alone', () => {
  let lab: Lab;
  let vps: Machine;
  let home: Machine;
  beforeEach(async () => {
    lab = new Lab();
    lab.setNat(lab.home1, 'restricted');
    vps = await Machine.make(lab, lab.pub);
    home = await Machine.make(lab, lab.home1.space);
    await vps.shell(FIREWALL);
    await home.shell('useradd alice; useradd bob');
  });
  afterEach(() => lab.close());

  /** Runs each step for a machine with `addresses`; gives what each printed. */
  async function follow(addresses: 'one address' | 'two addresses'): Promise<Map<Step, string>> {
    const printed = new Map<Step, string>();
    let client: Program | null = null;
    for (const step of steps) {
      if (/address/.test(step.note) && step.note !== addresses) continue;
      const machine = step.on === 'vps' ? vps : home;
      if (step.note === 'stays') {
        client = machine.start(step.script);
        await client.says(/Qualified: 2001:0:c000:201:/, QUALIFIED_MS);
        continue;
      }
      if (step.note === 'service') await client?.stop();
      // What was just started is there a moment later; a person types slower.
      await eventually(step.script, 15_000, async () => {
        const { code, out, err } = await machine.run(step.script);
        // Exit code 3: not running; 7: curl was not let in yet.
        if (code !== 0 && code !== 3 && code !== 7)
          throw new Error(`${step.script}\nended with ${code}: ${out}${err}`);
        printed.set(step, out + err);
        return code === 0;
      });
      if (step.on === 'vps' && step.script.includes('enable --now'))
        await eventually('server and relay run', 15_000, async () => {
          const sockets = 'ls /run/shipworm/server/control.sock /run/shipworm/relay/control.sock';
          return (await vps.run(sockets)).code === 0;
        });
    }
    return printed;
  }

  test.each(['one address', 'two addresses'] as const)(
    'gives a PC at home an address from one’s own server, and a native host through one’s own relay, with %s',
    async (addresses) => {
      if (addresses === 'one address') await vps.shell('ip addr del 192.0.2.2/24 dev e0');
      // Nobody but our own relay can be the way back.
      await lab.run(lab.native, 'ip', ['-6', 'route', 'flush', '2001::/32']);
      const printed = await follow(addresses);
      const of = (on: string, part: string): string =>
        [...printed].find(([step]) => step.on === on && step.script.includes(part))?.[1] ?? '';

      expect(of('vps', 'bin/shipworm status')).toMatch(/Role +server[\s\S]*Role +relay/);
      expect(of('home', 'servers check')).toMatch(
        addresses === 'one address'
          ? /work, with limits: 192\.0\.2\.2 did not answer/
          : /^Your server and your relay work, seen from here\.$/m,
      );
      // It sleeps as soon as it knows its address, for nothing is allowed to use it.
      expect(of('home', 'shipworm status')).toMatch(
        /^State +(qualified|dormant) .*\n.* 2001:0:c000:201:/m,
      );
      expect(of('home', 'ping 2001:db8:0:1::1')).toMatch(/^2001:db8:0:1::1 answered in .*relay/m);
      expect(of('home', NATIVE)).toMatch(/^2001:db8::80 answered in .*relay/m);
      expect(of('vps', 'systemctl reload')).toMatch(/reloaded; new: limits/);
      const metrics = of('vps', 'curl').split('\n');
      const value = (name: string): number =>
        Number(metrics.find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
      expect(value('shipworm_server_advertisements_total')).toBeGreaterThan(0);
      expect(value('shipworm_server_forwarded_total{to="native"}')).toBeGreaterThan(0);
      // The client, and for a while the look from home.
      expect(value('shipworm_relay_clients{state="answered"}')).toBeGreaterThan(0);

      // By now the client is a service.
      const nat = addresses === 'one address' ? 'unknown' : 'restricted';
      await eventually(`the service is qualified, NAT ${nat}`, 2 * QUALIFIED_MS, async () => {
        // It sleeps again as soon as it may: whoever asks wakes it.
        await home.run(`/opt/shipworm/bin/shipworm ping ${NATIVE} || true`);
        const { code, out } = await home.run('/opt/shipworm/bin/shipworm status --json');
        const status = code === 0 ? (JSON.parse(out) as Status) : null;
        return status?.server === `${SERVER}:3544` && status.address && status.nat === nat;
      });
    },
  );
});
