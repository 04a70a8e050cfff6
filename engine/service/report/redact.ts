// Module report/redact takes out of text what would tell who somebody is or where: each thing gets one name that stays the same.
import { decodeTeredo, formatIp4, formatIp6, parseIp4, parseIp6 } from '../../wire/index.ts';

/** Words that are known to be somebody's. */
export interface Personal {
  readonly hostNames: readonly string[];
  readonly userNames: readonly string[];
  readonly homes: readonly string[];
  readonly secrets: readonly string[];
}

/** They are nobody's in particular. */
const NOBODYS = new Set(['root', 'nobody', 'shipworm', 'localhost', 'localhost.localdomain']);
const KEPT_IP4 = new Set(['0.0.0.0', '127.0.0.1', '255.255.255.255', '255.255.255.0']);
const KEPT_IP6 = new Set(['::', '::1', '2001::']);
/** What ends so is a file, no host. */
const FILE_ENDINGS =
  /\.(?:json|sock|ts|js|mjs|cjs|node|so|conf|txt|md|py|sh|pcapng|service|socket|desktop|d|new|damaged|exe|appimage)$/i;

/** The order counts: what stands first is looked for first at each place. */
const PATTERNS = [
  // A path in somebody's home: up to what can't belong to it, though spaces may.
  String.raw`(?<home>/(?:home|Users)/[^"'\n,;()]+?(?=$|["'\n,;()]|: ))`,
  String.raw`(?<email>[\p{L}\d._%+-]+@[\p{L}\d-]+(?:\.[\p{L}\d-]+)+)`,
  String.raw`(?<ssid>\be?ssid\b["']?\s*[:=]?\s*(?:"[^"]*"|'[^']*'|[^\s,;]+))`,
  String.raw`(?<mac>(?<![\da-f:-])[\da-f]{2}(?<sep>[:-])(?:[\da-f]{2}\k<sep>){4}[\da-f]{2}(?![\da-f:-]))`,
  String.raw`(?<ip6>[\da-f.]*:[\da-f.]*:[\da-f:.]*)`,
  String.raw`(?<ip4>(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d))`,
  String.raw`(?<hex>(?<![\da-z])[\da-f]{16,}(?![\da-z]))`,
  String.raw`(?<token>(?<![\p{L}\d+_-])(?=[^\s]*\d)[\p{L}\d+_-]{32,}={0,2})`,
  String.raw`(?<host>(?<![/\p{L}\d.-])(?:[\p{L}\d_](?:[\p{L}\d_-]*[\p{L}\d_])?\.)+(?:\p{L}{2,63}|xn--[\da-z-]+)(?![\p{L}\d]))`,
];

/** One report's names for things. */
export class Redactor {
  private readonly names = new Map<string, string>();
  private readonly counts = new Map<string, number>();
  private readonly pattern: RegExp;
  private readonly known = new Map<string, string>();

  constructor(personal: Personal) {
    const words: string[] = [];
    const know = (kind: string, given: readonly string[]): void => {
      for (const word of given) {
        if (word.length < 2 || NOBODYS.has(word.toLowerCase())) continue;
        this.known.set(word.toLowerCase(), kind);
        words.push(word);
      }
    };
    know('secret', personal.secrets);
    know('host', personal.hostNames);
    know('user', personal.userNames);
    const bounded = words
      .sort((a, b) => b.length - a.length)
      .map((word) => `(?<![\\p{L}\\d])${escaped(word)}(?![\\p{L}\\d])`);
    const homes = personal.homes
      .filter((home) => home.length > 1)
      .map(
        (home) =>
          String.raw`${escaped(home)}(?=$|[/"'\n,;():\s])(?:/[^"'\n,;()]+?(?=$|["'\n,;()]|: ))?`,
      );
    const first = [
      ...(bounded.length > 0 ? [`(?<known>${bounded.join('|')})`] : []),
      ...(homes.length > 0 ? [`(?<own>${homes.join('|')})`] : []),
    ];
    // A path of a home before a user's name in it.
    this.pattern = new RegExp([...first.reverse(), ...PATTERNS].join('|'), 'giu');
  }

  /** `text` without what is somebody's. */
  text(text: string): string {
    return text.replace(this.pattern, (...match) => {
      const groups = match.at(-1) as Record<string, string | undefined>;
      return this.replaced(match[0], groups);
    });
  }

  /** The same for every text and every name inside `value`. */
  value(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((each) => this.value(each));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [this.text(name), this.value(each)]),
    );
  }

  /** What `original` is called from now on. */
  name(kind: string, original: string): string {
    const key = `${kind} ${original.toLowerCase()}`;
    let name = this.names.get(key);
    if (name === undefined) {
      const count = (this.counts.get(kind) ?? 0) + 1;
      this.counts.set(kind, count);
      name = `<${kind}-${count}>`;
      this.names.set(key, name);
    }
    return name;
  }

  private replaced(match: string, groups: Record<string, string | undefined>): string {
    const { known, own, home, email, ssid, mac, ip6, ip4, hex, token, host } = groups;
    if (known !== undefined) return this.name(this.known.get(known.toLowerCase()) ?? 'word', known);
    if (own !== undefined || home !== undefined) return this.name('path', match);
    if (email !== undefined) return this.name('email', email);
    if (ssid !== undefined) return `SSID ${this.name('ssid', ssid)}`;
    if (mac !== undefined) return this.name('mac', mac.replaceAll('-', ':'));
    if (ip6 !== undefined) return this.address6(ip6);
    if (ip4 !== undefined) return this.address4(ip4);
    if (hex !== undefined || token !== undefined) return this.name('code', match);
    if (host !== undefined) return FILE_ENDINGS.test(host) ? host : this.name('host', host);
    return match;
  }

  /** The longest beginning that is an address, and what comes behind. */
  private address6(run: string): string {
    for (let end = run.length; end > 1; end--) {
      const rest = run.slice(end);
      if (!/^($|[.:])/.test(rest)) continue;
      const ip = parseIp6(run.slice(0, end));
      if (ip === undefined) continue;
      const behind = this.text(rest);
      const text = formatIp6(ip);
      if (KEPT_IP6.has(text)) return text + behind;
      const parts = decodeTeredo(ip);
      if (!parts) return this.name(text.startsWith('fe80:') ? 'link-local' : 'ipv6', text) + behind;
      const [server, client] = [parts.server, parts.client.ip].map((each) =>
        this.address4(formatIp4(each)).slice(1, -1),
      );
      const name = this.name('teredo', text).slice(1, -1);
      return `<${name} server=${server} client=${client}>${behind}`;
    }
    // A time of day, or the like; there may be an IPv4 address in it.
    return run.replace(/(?:\d{1,3}\.){3}\d{1,3}/g, (each) => this.address4(each));
  }

  private address4(text: string): string {
    const ip = parseIp4(text);
    if (ip === undefined)
      return text.split('.').every((part) => Number(part) < 256) ? this.name('ipv4', text) : text;
    if (KEPT_IP4.has(text)) return text;
    return this.name(isPrivate(ip) ? 'private-ipv4' : 'ipv4', text);
  }
}

function isPrivate(ip: number): boolean {
  const [a, b] = [ip >>> 24, (ip >>> 16) & 255];
  return (
    a === 10 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 100 && b >= 64 && b < 128)
  );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
