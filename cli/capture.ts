// Module cli/capture writes the tunnel's datagrams into a file for `shipworm capture`, until Ctrl-C or its size.
import type { Command } from 'commander';
import { Option } from 'commander';
import { captureInto } from '../engine/service/capture/file.ts';
import { callService } from '../engine/service/control-client.ts';
import { EXIT, Exit, print, printJson } from './output.ts';
import { ask, paths } from './query.ts';
import type { QueryOptions } from './query.ts';

const MIB = 1024 * 1024;

interface CaptureOptions extends QueryOptions {
  readonly size: number;
  readonly inner?: boolean;
}

async function capture(file: string, options: CaptureOptions): Promise<void> {
  if (!(options.size >= 1 && options.size <= 4000))
    throw new Exit(EXIT.usage, '--size takes 1 to 4000 (MB).');
  const where = paths(options);
  // Asked first: where nothing runs no file is begun.
  const { running } = await ask(callService(where, 'captureState', {}));
  if (running) throw new Exit(EXIT.failed, 'Another capture is running; end that first.');
  const writing = await ask(
    captureInto(
      {
        begin: () =>
          callService(where, 'beginCapture', {
            limitBytes: Math.round(options.size * MIB),
            inner: options.inner ?? false,
          }),
        take: () => callService(where, 'takeCaptured', {}),
        end: () => callService(where, 'endCapture', {}),
      },
      file,
      { replace: false },
    ),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => writing.stop());
  if (!options.json) process.stderr.write(`Capturing into ${file}; Ctrl-C ends it.\n`);
  const { packets, bytes, dropped, text } = await ask(writing.finished);
  if (options.json) printJson({ file, packets, bytes, dropped });
  else
    print(
      `${text === null ? '' : `${text} `}${packets} datagrams, ${bytes} bytes${dropped > 0 ? `; ${dropped} came too fast and are missing` : ''}.`,
    );
}

export function addCaptureCommand(root: Command): void {
  root
    .command('capture')
    .description('write the datagrams of the tunnel into a pcapng file, for Wireshark')
    .argument('<file>', 'a new file; only you can read it')
    .option('--size <MB>', 'end at this size', Number, 64)
    .option('--inner', 'only the IPv6 packets inside, without IPv4 and UDP')
    .addOption(
      new Option('--control <path>', 'control socket of what is running, if not the usual one'),
    )
    .addOption(new Option('--json', 'print JSON for scripts'))
    .addHelpText(
      'after',
      `
Every UDP datagram that the tunnel's socket took or sent is in it, those of the fast path and of strangers as well; the
IPv6 packets are inside. Not in it: what was refused before it was sent, and what passed by side ports (RFC 6081) or by
multicast. IPv4 and UDP headers are made anew: time to live, identification and checksums are not those of the wire.
In Wireshark, enable the protocol "teredo_udp" for ports other than 3544. The file shows with whom you talk, and what is
not encrypted.`,
    )
    .action(capture);
}
