// Module service/demo-tour tells what else can happen: programs that come and go, a server that fails, a blocked network, other routers.
import type { CallResult, Status } from './api.ts';
import { ACCESS } from './builtin/places.ts';
import type { AccessKind } from './builtin/places.ts';
import { FAULTS } from './builtin/faults.ts';
import type { FaultName } from './builtin/faults.ts';
import { startBuiltIn } from './builtin/start.ts';
import type { RunningBuiltIn } from './builtin/start.ts';

export interface TourOptions {
  readonly nat: AccessKind;
  /** Tell of this failure alone. */
  readonly fault?: FaultName;
}

/** Whom a ping went to, as the picture of its way needs it. */
export interface Target {
  readonly name: string;
  readonly path: NonNullable<Status['peers'][number]['path']>;
}

export type TourStep =
  | { readonly kind: 'chapter'; readonly title: string; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'rows'; readonly rows: readonly (readonly [string, string])[] }
  /** The head first. */
  | { readonly kind: 'table'; readonly rows: readonly (readonly string[])[] }
  | { readonly kind: 'picture'; readonly status: Status; readonly target?: Target }
  /** All that was told came about. */
  | { readonly kind: 'end'; readonly ok: boolean };

/** Time passes so many times as fast: what is told takes minutes. */
const SPEED = 50;
/** Longer than anything that is waited for, virtual ms. */
const PATIENCE_MS = 900_000;
const LOOK_MS = 10;
/** Outages are watched for so long, virtual ms: longer than a refresh interval. */
const OUTAGE_MS = 45_000;
const PING_MS = 12_000;
/** A way that opens at all has opened by then, virtual ms: a new peer is given up after 9 s. */
const ANSWER_MS = 20_000;
/** Peers of the table of routers: an easy one, a hard one, and a native host. */
const COLUMNS = ['Ana', 'Dora', 'Website'] as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = (ms: number): string =>
  ms < 950 ? `${Math.round(ms / 10) * 10} ms` : `${Math.round(ms / 100) / 10} s`;

/** The running client, with what the tour asks of it. */
class Tour {
  readonly client: RunningBuiltIn;
  ok = true;
  /** The program that is watched: one that has answers behind this router. */
  flow: 'Chess' | 'Photos' = 'Chess';

  constructor(client: RunningBuiltIn) {
    this.client = client;
  }

  /** Waits until `seen` gives something; tells how long that took, virtual ms. Null: it never came, and the tour has failed. */
  async until<T>(
    seen: () => T | Promise<T>,
    patienceMs = PATIENCE_MS,
  ): Promise<{ readonly value: NonNullable<T>; readonly ms: number } | null> {
    const begin = performance.now();
    const took = (): number => (performance.now() - begin) * SPEED;
    for (;;) {
      const value = await seen();
      if (value) return { value, ms: took() };
      if (took() > patienceMs) {
        if (patienceMs === PATIENCE_MS) this.ok = false;
        return null;
      }
      await pause(LOOK_MS);
    }
  }

  async pass(virtualMs: number): Promise<void> {
    await pause(virtualMs / SPEED);
  }

  async program(name: string): Promise<CallResult<'builtIn'>['programs'][number]> {
    const { programs } = await this.client.api.builtIn({});
    return programs.find((each) => each.name === name)!;
  }

  async run(name: string, running: boolean): Promise<void> {
    await this.client.api.changeBuiltIn({ change: 'program', name, running });
  }

  /** Starts the watched program and waits for its first answer. */
  async play(): Promise<boolean> {
    await this.run(this.flow, true);
    if (!(await this.qualified())) return false;
    if (await this.answered(this.flow, ANSWER_MS)) return true;
    // Not with Ana, from behind this router; the relay reaches everybody.
    this.flow = 'Photos';
    await this.client.api.changeBuiltIn({ change: 'program', name: this.flow, allowed: true });
    await this.run(this.flow, true);
    return (await this.answered(this.flow)) !== null;
  }

  /** Waits for the next answer to program `name`. */
  async answered(name: string, patienceMs?: number): ReturnType<typeof this.until<boolean>> {
    const { received } = await this.program(name);
    return this.until(async () => (await this.program(name)).received > received, patienceMs);
  }

  becomes(wanted: (status: Status) => boolean): ReturnType<typeof this.until<Status | null>> {
    return this.until(() => {
      const status = this.client.status();
      return wanted(status) ? status : null;
    });
  }

  qualified(): ReturnType<typeof this.becomes> {
    return this.becomes(({ state, nat }) => state === 'qualified' && nat !== 'unknown');
  }
}

/** The tour, step by step. Touches no real network; time passes faster than on the wall. */
export async function* tourSteps({ nat, fault }: TourOptions): AsyncGenerator<TourStep> {
  const client = await startBuiltIn(
    { nat, speed: SPEED, control: null },
    { log: () => undefined, onFailed: () => undefined },
  );
  const tour = new Tour(client);
  try {
    for (const name of ['Chess', 'Photos']) await tour.run(name, false);
    if (fault !== undefined) yield* faultChapter(tour, fault);
    else {
      yield* programsChapter(tour);
      yield* serverChapter(tour);
      yield* blockedChapter(tour);
      yield* routersChapter(tour);
    }
    yield { kind: 'end', ok: tour.ok };
  } finally {
    await client.close();
  }
}

async function* programsChapter(tour: Tour): AsyncGenerator<TourStep> {
  const { api } = tour.client;
  yield {
    kind: 'chapter',
    title: '4. What may use it, and what may not',
    text: 'An address that the whole Internet can reach is also a door. So nothing may use the tunnel before you allow it; and while nothing that you allowed runs, the tunnel sleeps and your PC can’t be seen.',
  };
  const asleep = await tour.becomes(({ state }) => state === 'dormant');
  if (!asleep) return;
  yield {
    kind: 'text',
    text: `Nothing that you allowed runs: the state is “dormant”. ${asleep.value.reason.text}`,
  };

  await tour.run('Chess', true);
  const answered = await tour.answered('Chess', ANSWER_MS);
  yield {
    kind: 'text',
    text: answered
      ? `Chess starts. You have allowed it, so its first packet wakes the tunnel; ${seconds(answered.ms)} later it has its first answer from Ana.`
      : 'Chess starts. You have allowed it, so its first packet wakes the tunnel. But Ana does not answer: between your router and hers no direct way was found.',
  };
  const now = tour.client.status();
  yield { kind: 'picture', status: now, ...(answered && targetOf(now, 'Ana')) };

  await tour.run('Photos', true);
  const asked = await tour.until(async () =>
    (await api.questions({})).find(({ name }) => name === 'photos'),
  );
  if (!asked) return;
  const { refused, received } = await tour.program('Photos');
  yield {
    kind: 'text',
    text: `Photos starts, too. Nobody has allowed it. Its packets refused so far, each at once: ${refused}; answers: ${received}. It waits as a question for you:`,
  };
  yield {
    kind: 'rows',
    rows: [
      ['Who', asked.value.path ?? asked.value.name],
      ['Wants', `${asked.value.protocol} to ${asked.value.remote}, port ${asked.value.remotePort}`],
    ],
  };
  const listeners = await api.reachable({});
  const open = listeners.filter(({ allowed }) => allowed).length;
  const files = listeners.find(({ app }) => app?.path === '/usr/sbin/smbd');
  yield {
    kind: 'text',
    text: files
      ? `Files shares this PC’s files on port ${files.port}, and can${files.allowed ? '' : '’t'} be reached from the Internet. Programs that can: ${open}.`
      : `Programs that can be reached from the Internet now: ${open}.`,
  };
  await api.answer({ id: asked.value.id, answer: 'allow' });
  const allowed = await tour.answered('Photos');
  if (!allowed) return;
  yield {
    kind: 'text',
    text: `You allow Photos: ${seconds(allowed.ms)} later its next packet is answered, through the relay.`,
  };
  for (const name of ['Photos', 'Chess']) await tour.run(name, false);
  const sleeps = await tour.becomes(({ state }) => state === 'dormant');
  if (!sleeps) return;
  yield {
    kind: 'text',
    text: `Both end. ${seconds(sleeps.ms)} later the tunnel sleeps again: no socket, no packet, no address that anybody could reach.`,
  };
}

/** The peer that is talked with, as `name`. */
function targetOf({ peers }: Status, name: string): { readonly target?: Target } {
  const path = peers.find((each) => each.trusted)?.path;
  return path ? { target: { name, path } } : {};
}

async function* serverChapter(tour: Tour): AsyncGenerator<TourStep> {
  const { api } = tour.client;
  yield {
    kind: 'chapter',
    title: '5. The server falls silent',
    text: 'The server introduces people; what they say to each other does not pass through it. So what happens to a game when it fails?',
  };
  if (!(await tour.play())) return;
  await api.changeBuiltIn({ change: 'fault', name: 'server' });
  const silent = await tour.becomes(({ reason }) => reason.code === 'server-silent');
  if (!silent) return;
  const before = await tour.program(tour.flow);
  await tour.pass(OUTAGE_MS);
  const after = await tour.program(tour.flow);
  yield { kind: 'text', text: `It is noticed after ${seconds(silent.ms)}:` };
  yield { kind: 'picture', status: tour.client.status() };
  yield {
    kind: 'text',
    text: `${tour.flow} meanwhile: ${after.sent - before.sent} packets sent, ${after.received - before.received} answered. The address is kept, and what runs goes on.`,
  };
  if (after.received === before.received) tour.ok = false;
  await api.changeBuiltIn({ change: 'heal' });
  const healed = await tour.becomes(({ reason }) => reason.code === 'qualified');
  if (!healed) return;
  yield {
    kind: 'text',
    text: `The server is back, which is noticed after ${seconds(healed.ms)}. The address is the same.`,
  };
  await tour.run(tour.flow, false);
}

async function* blockedChapter(tour: Tour): AsyncGenerator<TourStep> {
  const { api } = tour.client;
  yield {
    kind: 'chapter',
    title: '6. A network that blocks UDP',
    text: 'You carry the PC into an office whose firewall lets no UDP out. Teredo can’t work there; what you can expect is to be told so.',
  };
  const { nat } = await api.builtIn({});
  await api.changeBuiltIn({ change: 'fault', name: 'udp' });
  await api.changeBuiltIn({
    change: 'nat',
    kind: nat === 'restricted' ? 'portRestricted' : 'restricted',
  });
  await tour.run('Chess', true);
  const told = await tour.becomes(
    ({ state, reason }) => state === 'qualifying' && reason.code === 'no-answer',
  );
  if (!told) return;
  yield {
    kind: 'text',
    text: `After ${seconds(told.ms)} the state is “qualifying”, and you are told:`,
  };
  yield { kind: 'picture', status: told.value };
  await api.changeBuiltIn({ change: 'heal' });
  const healed = await tour.qualified();
  if (!healed) return;
  yield {
    kind: 'text',
    text: `The firewall opens; ${seconds(healed.ms)} later the PC has its address.`,
  };
  await api.changeBuiltIn({ change: 'nat', kind: nat });
}

async function* routersChapter(tour: Tour): AsyncGenerator<TourStep> {
  const { api } = tour.client;
  yield {
    kind: 'chapter',
    title: '7. Other routers',
    text: 'Not every router is as helpful as yours. Ana is behind a common one, Dora behind one that takes a new port for each destination, so that nobody can be told where to find her.',
  };
  const { kinds, hosts } = await api.builtIn({});
  const rows: string[][] = [];
  for (const { name } of kinds) {
    await api.changeBuiltIn({ change: 'nat', kind: name });
    await tour.run('Chess', false);
    await tour.run('Chess', true);
    // The client notices the other network a moment after the cable is in.
    await tour.pass(1_000);
    if (!(await tour.qualified())) return;
    const results = COLUMNS.map(async (host) => {
      const { address } = hosts.find((each) => each.name === host)!;
      const result = await api.ping({ address: address!, timeoutMs: PING_MS });
      return result.ok ? result.path : 'no';
    });
    rows.push([name, tour.client.status().nat, ...(await Promise.all(results))]);
  }
  yield {
    kind: 'table',
    rows: [['YOUR ROUTER', 'SEEN AS', ...COLUMNS.map((each) => each.toUpperCase())], ...rows],
  };
  const hard = rows.filter((row) => row.includes('no')).map(([name]) => name);
  yield {
    kind: 'text',
    text:
      hard.length === 0
        ? 'All of them were reached: directly, by bubbles through both routers, or through the relay.'
        : `“no” is a pair of routers between which no direct way was found (here with: ${hard.join(', ')}). Native IPv6 hosts are reached through the relay all the same.`,
  };
  if (rows.some((row) => row.at(-1) === 'no')) tour.ok = false;
}

async function* faultChapter(tour: Tour, name: FaultName): AsyncGenerator<TourStep> {
  const { api } = tour.client;
  const { text, passing } = FAULTS[name];
  const { nat } = await api.builtIn({});
  yield {
    kind: 'chapter',
    title: `4. What if: ${text}`,
    text: `Your PC talks from behind ${ACCESS[nat]}. Then it happens.`,
  };
  if (!(await tour.play())) return;
  const { address } = tour.client.status();
  const before = await tour.program(tour.flow);
  await api.changeBuiltIn({ change: 'fault', name });
  await tour.pass(OUTAGE_MS);
  const during = await tour.program(tour.flow);
  const status = tour.client.status();
  yield { kind: 'picture', status };
  yield {
    kind: 'text',
    text: `${seconds(OUTAGE_MS)} later: ${during.sent - before.sent} packets of ${tour.flow} sent, ${during.received - before.received} answered. State “${status.state}”.`,
  };
  if (!passing) await api.changeBuiltIn({ change: 'heal' });
  const healed = await tour.becomes(({ reason }) => reason.code === 'qualified');
  const again = await tour.answered(tour.flow);
  if (!healed || !again) return;
  const now = tour.client.status().address;
  yield {
    kind: 'text',
    text: `${passing ? 'It is over by itself' : 'It is mended'}: after ${seconds(healed.ms + again.ms)} ${tour.flow} has answers again${now === address ? ', and the address is the same' : `; the address is now ${now ?? 'none'}`}.`,
  };
}
