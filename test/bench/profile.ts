// Module bench/profile shows where the packet threads spend their time: samples of perf, by kind of work, one thread of each end.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab/kit/lab.ts';
import { pidsIn, sleep } from '../lab/kit/processes.ts';
import type { Program } from '../lab/kit/processes.ts';
import { startMiredoServer } from '../lab/kit/programs.ts';
import { PATHS, PORTS, UDP_TOOL } from './paths.ts';
import type { Path } from './paths.ts';

/** How long the load lasts and how much of it is watched, s; samples a second. */
const LOAD = 8;
const WATCHED = 5;
const SAMPLES = 999;
/** Packets a second of the UDP load: more than any row of the bench needs, fewer than are lost. */
const UDP_RATE = 200_000;

/** The first that fits a sample's object and symbol. */
const KINDS: readonly (readonly [name: string, fits: RegExp])[] = [
  ['ours: checksums', /^shipworm\.node .*(sumWords|sumPseudoHeader|foldSum)/],
  ['ours: everything else (tables, headers, joining)', /^(shipworm\.node|libc\.so\S*) /],
  ["kernel: the gate's programs by socket", /bpf|htab_|lookup_nulls|sk_filter|sock_gen_cookie/],
  [
    'kernel: copying between user and kernel',
    /_copy_(to|from)_iter|copy_(page|user|datagram)|rep_movs|object_size|virt_addr_valid|skb_datagram_iter|copy_datagram|heap_object|import_iovec|copy_msghdr|memcpy/,
  ],
  ["kernel: the lab's routers (netfilter)", /nf_|nft_|conntrack|_manip|ipt_/],
  [
    'kernel: buffers (allocating, freeing)',
    /alloc|free|slab|skb_release|kfree|page_frag|get_netmem|consume_skb|skb_segment|build_skb|obj_cgroup/,
  ],
  [
    'kernel: locks, scheduling, software interrupts',
    /spin_|lock|sched|softirq|task_switch|wake|rcu_|irq|dequeue|enqueue_(task|entity)|update_|pick_|switch|epoll|ep_/,
  ],
  ['kernel: TUN', /tun_|ptr_ring/],
  ['kernel: IP, UDP, TCP, veth, system calls', /./],
];

type Shares = readonly number[];

/** Thread `name` of the client in `space`. */
function thread(space: string, name: string): string {
  for (const pid of pidsIn(space))
    for (const task of readdirSync(`/proc/${pid}/task`))
      if (readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim() === name) return task;
  throw new Error(`No thread ${name} runs in ${space}.`);
}

/** Per cent of the samples in `file`, for each of KINDS. */
function shares(file: string): Shares {
  const args = ['report', '-i', file, '--stdio', '--no-children', '-g', 'none', '-q'];
  const text = execFileSync('perf', [...args, '-F', 'overhead,dso,symbol', '-t', '|'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const sums = KINDS.map(() => 0);
  for (const line of text.split('\n')) {
    const [percent, object, symbol] = line.split('|');
    if (symbol === undefined) continue;
    const sample = `${object!.trim()} ${symbol.trim()}`;
    sums[KINDS.findIndex(([, fits]) => fits.test(sample))]! += parseFloat(percent!);
  }
  return sums;
}

/** The sending and the receiving packet thread under the load that `start` begins. */
async function underLoad(
  lab: Lab,
  name: string,
  start: () => Promise<readonly Program[]>,
): Promise<Shares[]> {
  const programs = await start();
  await sleep(1_000);
  const watched = (
    [
      [lab.home1.space, 'shipworm-out'],
      [lab.home2.space, 'shipworm-in'],
    ] as const
  ).map(async ([space, task]) => {
    const file = join(lab.folder, `${name}-${task}.perf`);
    const how = ['record', '-q', '-F', `${SAMPLES}`, '-t', thread(space, task), '-o', file];
    await lab.run(space, 'perf', [...how, '--', 'sleep', `${WATCHED}`], { timeoutMs: 60_000 });
    return shares(file);
  });
  const result = await Promise.all(watched);
  for (const program of programs) await program.stop();
  return result;
}

async function loads(lab: Lab, { to }: Path): Promise<Shares[]> {
  const [here, there] = [lab.home1.space, lab.home2.space];
  const tcp = await underLoad(lab, 'tcp', async () => {
    const server = lab.start(there, 'iperf3', ['-s', '-p', `${PORTS.iperf}`, '--forceflush']);
    await server.says(/listening/, 5_000);
    const sender = lab.start(here, 'iperf3', ['-c', to, '-t', `${LOAD}`]);
    return [sender, server];
  });
  const udp = await underLoad(lab, 'udp', async () => {
    const count = lab.start(there, UDP_TOOL, ['receive', `${PORTS.count}`, '1']);
    await count.says(/ready/, 5_000);
    const how = [`${PORTS.count}`, '1200', `${UDP_RATE}`, `${LOAD}`];
    return [lab.start(here, UDP_TOOL, ['send', to, ...how]), count];
  });
  return [...tcp, ...udp];
}

/** A table of where the time of the packet threads goes, in Markdown. Throws a sentence where perf is missing. */
export async function profile(lab: Lab): Promise<string> {
  try {
    execFileSync('perf', ['--version'], { stdio: 'ignore' });
  } catch {
    throw new Error('A profile needs perf; install it with: apt-get install linux-perf');
  }
  const server = await startMiredoServer(lab);
  for (const home of lab.homes) lab.setNat(home, 'restricted');
  const path = await PATHS[0]!.open(lab);
  const columns = await loads(lab, path);
  await path.close();
  await server.stop();
  await lab.stopPrograms();
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const names = ['TCP, sends', 'TCP, receives', 'UDP, sends', 'UDP, receives'];
  return [
    line(['per cent of the thread', ...names]),
    line(['---', ...names.map(() => '--:')]),
    ...KINDS.map(([name], i) =>
      line([name, ...columns.map((column) => column[i]!.toFixed(0))]),
    ).reverse(),
  ].join('\n');
}
