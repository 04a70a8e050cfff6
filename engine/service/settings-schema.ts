// Module service/settings-schema declares what a client's settings may be; files, command line and policy are judged by it.
import { z } from 'zod';
import { parseIp4 } from '../wire/index.ts';
import { LOG_LEVELS } from './log.ts';
import { metricsEndpoint } from './metrics-server.ts';

export const hostName = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    'is no host name or IPv4 address; write one, e.g. "teredo.example.net"',
  );
export const ip4 = z
  .string()
  .refine(
    (text) => parseIp4(text) !== undefined,
    'is no IPv4 address; write one, e.g. "192.0.2.2"',
  );
export const flag = z.boolean('must be true or false');

export const interfaceName = z
  .string('must be a name')
  .regex(
    /^[A-Za-z0-9_.-]{1,15}$/,
    'is no interface name; use 1 to 15 letters, digits, dots, dashes or underscores',
  );
export const logLevel = z.enum(LOG_LEVELS, 'must be "info", "warning" or "error"');
/** 0: chosen once and remembered. */
export const udpPort = z
  .number('must be a number')
  .int('must be a whole number')
  .min(0, 'must be 0 (chosen once and remembered) to 65535')
  .max(65_535, 'must be 0 (chosen once and remembered) to 65535');
/** Threads that move packets. */
export const workers = z
  .number('must be a number')
  .int('must be a whole number')
  .min(1, 'must be 1 or more')
  .max(64, 'must be 64 at most');
/** Queues of an adapter, with a thread for each way of each. */
export const MAX_ADAPTER_WORKERS = 8;
export const adapterWorkers = workers.max(
  MAX_ADAPTER_WORKERS,
  `must be ${MAX_ADAPTER_WORKERS} at most`,
);
export const control = z.string('must be a path').startsWith('/', 'must be an absolute path');

/** Settings of a client, as a file or the command line gives them. */
export const settingsSchema = z.strictObject({
  /** Host names or addresses of servers, the first that works is used. */
  server: z.union([hostName, z.array(hostName).min(1, 'is empty; name at least one server')], {
    error: 'must be a host name, or a list of them',
  }),
  server2: ip4,
  port: udpPort,
  /** Seconds that a server may be silent before another is used; 0: never another. */
  failoverAfter: z
    .number('must be a number of seconds')
    .int('must be a whole number of seconds')
    .min(0, 'must be 0 (never) or a number of seconds')
    .max(86_400, 'must be at most 86400 seconds'),
  /** Seconds between two refreshes of the NAT's mapping; where a search for a longer one begins. */
  refreshInterval: z
    .number('must be a number of seconds')
    .int('must be a whole number of seconds')
    .min(5, 'must be 5 to 120 seconds')
    .max(120, 'must be 5 to 120 seconds'),
  adapter: interfaceName,
  control,
  logLevel,
  metrics: metricsEndpoint,
  exposeAll: flag,
  /** The user's switch. */
  enabled: flag,
  evenWithNativeIpv6: flag,
  answerEcho: flag,
  /** Seconds after the last use until the tunnel sleeps. */
  sleepAfter: z
    .number('must be a number of seconds')
    .min(1, 'must be 1 to 86400 seconds')
    .max(86_400, 'must be 1 to 86400 seconds'),
  newNetworks: z.enum(['ask', 'on', 'off'], 'must be "ask", "on" or "off"'),
  allowPrivate: flag,
  /** Ask the router for a port: PCP, NAT-PMP, UPnP-IGD. */
  portMapping: flag,
  /** Tell neighbours on the link of us by multicast, and listen to them (RFC 4380 §5.2.8). */
  localDiscovery: flag,
  /** Find out how long the NAT keeps a mapping (RFC 4380 §5.2.7). */
  intervalSearch: flag,
  /** Guess ports towards peers that agree where nothing else leads through. */
  birthdayProbing: flag,
  /** Segmentation and checksum offloads of adapter and socket, where this kernel has them. */
  offloads: flag,
  /** 1 by default: a desktop's tunnel has one or two peers at a time. */
  workers: adapterWorkers,
  /** Run for a new address: a program and its words, by no shell. */
  addressCommand: z
    .array(
      z.string('must be text').max(4096, 'has a word of more than 4096 letters'),
      'must be a list: a program and its words',
    )
    .min(1, 'is empty; name a program')
    .max(64, 'has more than 64 words')
    .refine(
      ([program]) => program?.startsWith('/') ?? true,
      'must begin with the absolute path of a program',
    ),
  /** Where the AAAA record of a name is replaced for a new address (RFC 2136), with `dnsKey`. */
  dnsUpdate: z.strictObject(
    {
      server: hostName,
      port: z
        .number('must be a number')
        .int('must be a whole number')
        .min(1, 'must be 1 to 65535')
        .max(65_535, 'must be 1 to 65535')
        .optional(),
      zone: hostName,
      name: hostName,
      /** Seconds. */
      ttl: z
        .number('must be a number of seconds')
        .int('must be a whole number')
        .min(0, 'must be 0 to 604800 seconds')
        .max(604_800, 'must be 0 to 604800 seconds')
        .optional(),
      keyName: hostName,
    },
    'must have server, zone, name and keyName',
  ),
  /** The key's secret, HMAC-SHA256, in base64 as DNS servers have it. */
  dnsKey: z
    .string('must be text')
    .regex(/^[A-Za-z0-9+/]{16,}={0,2}$/, 'must be the secret of the key in base64'),
  clientId: z.string('must be text').min(1, 'is empty').max(255, 'is longer than 255 bytes'),
  key: z.string('must be text').min(1, 'is empty'),
});
export const fileSchema = settingsSchema.partial();

/** What one place says; nothing has to be said. */
export type FileSettings = z.infer<typeof fileSchema>;

/** What is in force where nobody says anything. */
export const DEFAULTS = {
  port: 0,
  failoverAfter: 300,
  adapter: 'teredo',
  logLevel: 'info',
  exposeAll: false,
  enabled: true,
  evenWithNativeIpv6: false,
  answerEcho: false,
  /** The tunnel sleeps so long after the last allowed flow or listener. */
  sleepAfter: 30,
  newNetworks: 'on',
  allowPrivate: false,
  portMapping: false,
  localDiscovery: false,
  intervalSearch: false,
  birthdayProbing: false,
  offloads: true,
  workers: 1,
} as const satisfies FileSettings;

type Complete = FileSettings & {
  readonly [N in keyof typeof DEFAULTS]: Exclude<FileSettings[N], undefined>;
};

export function withDefaults(given: FileSettings): Complete {
  const said = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...(Object.fromEntries(said) as FileSettings) } as Complete;
}

/** Who knows them could pass for this PC: they are never shown. */
export const SECRETS: ReadonlySet<string> = new Set(['clientId', 'key', 'dnsKey']);
/** What belongs to this PC alone, or is worth nothing without a secret. */
export const NOT_EXPORTED: ReadonlySet<string> = new Set([...SECRETS, 'dnsUpdate']);
/** What opens more than was open, or lets a program run: not taken from elsewhere without a word. */
export const WEAKENING: readonly (keyof FileSettings)[] = [
  'exposeAll',
  'allowPrivate',
  'answerEcho',
  'addressCommand',
];
/** Settings that a running client takes; `exposeAll` to close alone. */
export const LIVE_NAMES: ReadonlySet<string> = new Set([
  'logLevel',
  'enabled',
  'evenWithNativeIpv6',
  'answerEcho',
  'sleepAfter',
  'newNetworks',
  'server',
  'server2',
  'port',
  'refreshInterval',
  'intervalSearch',
  'clientId',
  'key',
]);
