// Module cli/main is the `shipworm` command: its verbs, options and exit codes.
import packageJson from '../package.json' with { type: 'json' };
import { Command, CommanderError, Option } from 'commander';
import { addressDecode, addressEncode } from './address.ts';
import { addDoctorCommands } from './doctor-commands.ts';
import { driveBuiltIn } from './built-in.ts';
import { BUILT_IN_HELP } from './built-in-words.ts';
import { addCaptureCommand } from './capture.ts';
import { runClient } from './client.ts';
import { runDemo } from './demo.ts';
import { addGateCommands } from './gate-commands.ts';
import { bearClosedPipes, EXIT, Exit, printError } from './output.ts';
import { addReportCommand } from './report.ts';
import { runRelay } from './relay.ts';
import { runServer } from './server.ts';
import { addServerCommands } from './servers.ts';
import { addSettingsCommands } from './settings.ts';
import { paged, reload, showPeers, showPing, showStatus } from './query.ts';

const control = (): Option =>
  new Option('--control <path>', 'control socket of what is running, if not the usual one');
const logLevel = (): Option =>
  new Option('--log-level <level>', 'tell info (default), warning or error, and what is graver');
const metrics = (): Option =>
  new Option('--metrics <address:port>', 'serve Prometheus metrics there, loopback only (off)');
const json = (): Option => new Option('--json', 'print JSON for scripts');

function program(): Command {
  const root = new Command('shipworm')
    .description(
      'A Teredo client: gives this PC an IPv6 address behind a home router, and direct paths to other PCs.',
    )
    .version(packageJson.version)
    // An option belongs to the verb that it stands behind, also where the verb before has one of that name.
    .enablePositionalOptions()
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      `
Examples:
  shipworm demo                                 see how it works; touches no network
  sudo shipworm client --server teredo.example.net
  sudo shipworm server --primary 192.0.2.1 --secondary 192.0.2.2
  sudo shipworm relay                           carry packets between native IPv6 and Teredo
  shipworm status                               is it working, and if not, why
  shipworm doctor                               look for what is in the way, with or without a client
  shipworm ping 2001:db8::80                    can that host be reached through the tunnel
  shipworm address decode 2001:0:4136:e378:8000:63bf:3fff:fdd2

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not running, 4 no privilege or no adapter.`,
    );

  root
    .command('client')
    .description('run the client in the foreground until Ctrl-C')
    .option(
      '--server <host,...>',
      'Teredo server; of several, the first that answers is used',
      (text: string) => text.split(','),
    )
    .option('--server2 <ip>', 'secondary address of the server (default: primary + 1)')
    .option('--port <number>', 'local UDP port; 0: chosen once and remembered (default)', Number)
    .option(
      '--failover-after <seconds>',
      'silence of the server after which another is used, with a new address (default: 300; 0: never)',
      Number,
    )
    .option('--adapter <name>', 'name of the network adapter (default: teredo)')
    .option(
      '--port-mapping',
      'ask the router for a port (PCP, NAT-PMP, UPnP-IGD); helps behind a symmetric one',
    )
    .option('--control <path>', 'control socket')
    .option('--config <file>', 'read this configuration file instead of the usual ones')
    .addOption(logLevel())
    .addOption(metrics())
    .option(
      '--expose-all',
      'RISK: let every application use the tunnel, and let everybody on the Internet reach every program that listens; echo requests are answered too',
    )
    .option(
      '--allow-private',
      'closed labs only: take private IPv4 addresses for servers and peers',
    )
    .option(
      '--built-in',
      'run on a whole Internet inside this process: no root, no real network; shipworm built-in drives it',
    )
    .option('--once', 'end with 0 once qualified, with 1 when no server answers')
    .addHelpText(
      'after',
      `
No application passes until it is allowed: shipworm apps allow PROGRAM. While none needs it, the tunnel sleeps.
The log goes to stderr. "Qualified" with an address means that the tunnel works. A server that can't be reached is
said within 15 s, with the likely cause, and tried again for ever.
The adapter needs a privilege: start it with sudo, or have the helper service running.`,
    )
    .action(runClient);

  root
    .command('server')
    .description('run a Teredo server in the foreground until Ctrl-C')
    .option(
      '--primary <ip>',
      'public IPv4 address of this machine; it is part of the clients’ addresses',
    )
    .option('--secondary <ip>', 'another one; without it clients can’t tell symmetric NATs')
    .option(
      '--bind-primary <ip>',
      'address of this machine behind --primary, where the provider translates (1:1 NAT)',
    )
    .option('--bind-secondary <ip>', 'the same for --secondary')
    .option('--port <number>', 'UDP port (default: 3544, the one that clients ask)', Number)
    .option('--control <path>', 'control socket')
    .option('--config <file>', 'read these settings; the command line rules')
    .addOption(logLevel())
    .addOption(metrics())
    .option('--allow-private', 'closed labs only: serve private IPv4 addresses')
    .addHelpText(
      'after',
      `
It helps clients to an address and to each other; their traffic does not pass through it, but for bubbles and pings.
Started with sudo, it opens its sockets and then becomes you again. Without root (and without the helper service) all
works but the pings that clients send to native IPv6 hosts before they use a relay.
The configuration file is one JSON object: primary, secondary, bindPrimary, bindSecondary, port, control, logLevel, metrics,
allowPrivate, clients (an object of clientId: key), requireAuthentication, limits,
workers (threads that read each address; one for each core by default).
"shipworm reload" (or the signal HUP) reads it anew and takes clients, requireAuthentication, limits and logLevel.
UDP port 3544 must be open to everybody. "shipworm status" says what it answered and what it refused, and why.`,
    )
    .action(runServer);

  root
    .command('relay')
    .description('run a Teredo relay in the foreground until Ctrl-C')
    .option('--bind <ip>', 'IPv4 address of this machine to use (default: all)')
    .option('--port <number>', 'UDP port (default: 3545)', Number)
    .option('--host-specific', 'relay for this machine alone; nothing is forwarded')
    .option('--native <interface>', 'interface towards native IPv6 (default: of the default route)')
    .option('--adapter <name>', 'name of the network adapter (default: teredo)')
    .option('--control <path>', 'control socket')
    .option('--config <file>', 'read these settings; the command line rules')
    .addOption(logLevel())
    .addOption(metrics())
    .option('--allow-private', 'closed labs only: take private addresses')
    .addHelpText(
      'after',
      `
It lets native IPv6 hosts and Teredo clients reach each other: those hosts whose packets for 2001::/32 come to this
machine, because it or their router sends them here. With --host-specific that is this machine alone.
It needs native IPv6, and a privilege for its adapter: start it with sudo, and it becomes you again. While it runs,
IPv6 is forwarded between the adapter and the native interface; afterwards that is as it was.
The configuration file is one JSON object: bind, port, hostSpecific, native, adapter, address, served (a list of
native networks; all by default), behindNat, control, logLevel, metrics, allowPrivate, limits (an object; maxPeers,
1048576, bounds its clients),
workers (queues of the adapter, each with a socket and two threads; one for each core by default).
"shipworm reload" (or the signal HUP) reads it anew and takes served, limits and logLevel.
The UDP port must be open to everybody. "shipworm status" says what it carries and what it refused, and why.`,
    )
    .action(runRelay);

  root
    .command('status')
    .description('say what the running client, server or relay is doing, and why')
    .addOption(control())
    .addOption(json())
    .addHelpText(
      'after',
      `
States: qualifying (asking the server), qualified (works), refused (the server or the settings say no).
NAT: restricted and none are good; symmetric means that some Teredo peers can't be reached.`,
    )
    .action(showStatus);

  root
    .command('reload')
    .description('have the running client, server or relay read its configuration anew')
    .addOption(control())
    .addOption(json())
    .addHelpText(
      'after',
      `
No connection is touched. A configuration with a fault changes nothing and is told (exit code 2); what needs a restart
is named.`,
    )
    .action(reload);

  paged(
    root
      .command('peers')
      .description('list the peers: who, over which path, how fast, last heard')
      .addOption(control())
      .addOption(json()),
  ).action(showPeers);

  root
    .command('ping')
    .description('send one echo request through the tunnel and say how it went')
    .argument('<address>', 'IPv6 address of a Teredo peer or a native host')
    .addOption(control())
    .addOption(json())
    .option('--timeout <seconds>', 'give up after this time', Number, 10)
    .addHelpText(
      'after',
      `
"no path": the peer answered nothing at all. "no reply": the path is open, but the host does not answer echo requests,
as a Shipworm that exposes nothing does.`,
    )
    .action(showPing);

  addDoctorCommands(root);
  addGateCommands(root);
  addServerCommands(root);
  addSettingsCommands(root);
  addCaptureCommand(root);
  addReportCommand(root);

  const address = root
    .command('address')
    .description('take Teredo addresses apart and put them together');
  address
    .command('decode')
    .description('show server, flags, port and IPv4 address inside a Teredo address')
    .argument('<address>')
    .addOption(json())
    .action(addressDecode);
  address
    .command('encode')
    .description('build the Teredo address of a client')
    .requiredOption('--server <ip>', 'IPv4 address of the Teredo server')
    .requiredOption('--client <ip>', 'mapped (public) IPv4 address of the client')
    .requiredOption('--port <number>', 'mapped UDP port of the client')
    .option('--flags <number>', 'the 16 flag bits, e.g. 0x8000 for the cone bit', '0')
    .addOption(json())
    .action(addressEncode);

  root
    .command('built-in')
    .description('show or change the built-in network of a running "shipworm client --built-in"')
    .argument('[words...]', 'what to do; nothing: show it')
    .addOption(control())
    .addOption(json())
    .addHelpText('after', `\n${BUILT_IN_HELP}`)
    .action(driveBuiltIn);

  root
    .command('demo')
    .description(
      'watch the client work on the built-in network, packet by packet; touches no real network',
    )
    .addOption(json())
    .option('--fast', 'tell it without pauses')
    .option('--nat <kind>', 'behind another kind of router; a wrong one lists them')
    .option('--fault <name>', 'what this failure does, instead of the later chapters')
    .option('-i, --interactive', 'no story: try the network yourself, with commands')
    .action(runDemo);
  return root;
}

/** Commander's own errors are usage errors; help and version are none. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof Exit) {
    if (error.message !== '') printError(error.message);
    return error.exitCode;
  }
  printError(error instanceof Error ? error.message : String(error));
  return EXIT.failed;
}

// bin/shipworm names the folder for Node alone; a program that is started from here has nothing to do with it.
delete process.env['NODE_COMPILE_CACHE'];
bearClosedPipes();
const root = program();
for (const command of [root, ...root.commands, ...root.commands.flatMap((c) => c.commands)])
  command.exitOverride().showHelpAfterError('(try --help)');
try {
  await root.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
