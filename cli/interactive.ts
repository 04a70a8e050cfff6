// Module cli/interactive lets a person try the built-in network with commands, from a terminal or a pipe.
import { createInterface } from 'node:readline';
import { startBuiltIn } from '../engine/service/builtin/start.ts';
import type { BuiltInOptions, RunningBuiltIn } from '../engine/service/builtin/start.ts';
import { BUILT_IN_HELP, builtInText, drive, same } from './built-in-words.ts';
import { EXIT, Exit, logLine, print, printError } from './output.ts';
import { pathPicture } from './picture.ts';
import { peersText, statusText } from './query.ts';

const HELP = `${BUILT_IN_HELP}
  ping NAME         is that host reached, and over which path
  status            what the client says of itself
  peers             whom it talks to
  show              the whole network, with the names that the commands take
  wait SECONDS      let time pass (for commands from a pipe)
  quit              (or Ctrl-D)`;
const PING_MS = 15_000;
const QUALIFY_MS = 5_000;

export async function runInteractive(options: BuiltInOptions): Promise<void> {
  const client = await startBuiltIn(options, {
    log: logLine,
    onFailed: (error) => printError(error.message),
  });
  const onTerminal = process.stdin.isTTY;
  try {
    print('A whole Internet inside this program; nothing of it touches your real network.');
    print('Try: ping ana, nat symmetric, ping dora, fault server, status, heal. All: help\n');
    await qualified(client);
    print(pathPicture(client.status()));
    // Made last: lines that come before anybody reads them would be lost.
    const lines = createInterface({
      input: process.stdin,
      ...(onTerminal && { output: process.stdout, prompt: 'shipworm> ' }),
    });
    const prompt = (): void => {
      if (onTerminal) lines.prompt();
    };
    prompt();
    for await (const line of lines) {
      const words = line.trim().split(/\s+/).filter(Boolean);
      if (words[0] === 'quit' || words[0] === 'exit') break;
      await obey(client, words, onTerminal);
      prompt();
    }
    lines.close();
  } finally {
    await client.close();
  }
}

/** Waits, within reason, until the client has said something about its address. */
async function qualified(client: RunningBuiltIn): Promise<void> {
  const until = performance.now() + QUALIFY_MS;
  while (client.status().nat === 'unknown' && performance.now() < until) await wait(0.05);
}

const wait = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** A mistake ends the run only where nobody can mend it: in a pipe. */
async function obey(
  client: RunningBuiltIn,
  words: readonly string[],
  onTerminal: boolean,
): Promise<void> {
  try {
    await perform(client, words);
  } catch (error) {
    if (!(error instanceof Exit) || !onTerminal) throw error;
    print(error.message);
  }
}

async function perform(client: RunningBuiltIn, words: readonly string[]): Promise<void> {
  const [command, word] = words;
  switch (command) {
    case undefined:
      return;
    case 'help':
      print(HELP);
      return;
    case 'status':
      print(`${statusText(client.status())}\n\n${pathPicture(client.status())}`);
      return;
    case 'peers':
      print(peersText(await client.api.peers({})));
      return;
    case 'show':
      print(builtInText(await client.api.builtIn({})));
      return;
    case 'wait':
      await wait(Math.min(600, Math.max(0, Number(word) || 1)));
      return;
    case 'ping':
      await ping(client, word ?? '');
      return;
    default:
      await drive(client.api, words);
      await wait(0.5);
      await qualified(client);
      print(pathPicture(client.status()));
  }
}

async function ping(client: RunningBuiltIn, name: string): Promise<void> {
  const { hosts } = await client.api.builtIn({});
  const host = hosts.find((each) => same(each.name, name));
  const address = host ? host.address : name;
  if (address === null || (!host && !name.includes(':')))
    throw new Exit(EXIT.usage, `ping takes one of: ${hosts.map((each) => each.name).join(', ')}.`);
  const result = await client.api.ping({ address, timeoutMs: PING_MS });
  if (host) print(`${host.name} (${host.text}) is ${address}.`);
  print(
    result.ok
      ? `It answered in ${result.rttMs.toFixed(0)} ms.\n\n${pathPicture(client.status(), { name: host?.name ?? address, path: result.path })}`
      : result.text,
  );
}
