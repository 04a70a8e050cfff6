// Module cli/address takes Teredo addresses apart and puts them together for `shipworm address`.
import {
  decodeTeredo,
  encodeTeredo,
  formatIp4,
  formatIp6,
  isCone,
  parseIp4,
  parseIp6,
  teredoPrefix,
} from '../engine/wire/index.ts';
import { EXIT, Exit, print, printJson } from './output.ts';

export function addressDecode(text: string, options: { json?: boolean }): void {
  const address = parseIp6(text);
  if (address === undefined) throw new Exit(EXIT.usage, `${text} is no IPv6 address.`);
  const parts = decodeTeredo(address);
  if (!parts)
    throw new Exit(
      EXIT.failed,
      `${text} is no Teredo address: those begin with 2001:0: (2001::/32).`,
    );
  const decoded = {
    prefix: `${formatIp6(teredoPrefix(parts.server))}/64`,
    server: formatIp4(parts.server),
    flags: parts.flags,
    cone: isCone(parts.flags),
    client: formatIp4(parts.client.ip),
    port: parts.client.port,
  };
  if (options.json) {
    printJson(decoded);
    return;
  }
  print(`Address  ${formatIp6(address)}`);
  print(`Server   ${decoded.server}`);
  print(
    `Client   ${decoded.client}, UDP port ${decoded.port} (as the server saw it, behind its router)`,
  );
  print(
    `Flags    0x${decoded.flags.toString(16).padStart(4, '0')}${decoded.cone ? ' (cone NAT)' : ''}`,
  );
}

export function addressEncode(options: {
  server: string;
  client: string;
  port: string;
  flags: string;
  json?: boolean;
}): void {
  const ip4 = (name: 'server' | 'client'): number => {
    const ip = parseIp4(options[name]);
    if (ip === undefined)
      throw new Exit(EXIT.usage, `--${name} ${options[name]} is no IPv4 address.`);
    return ip;
  };
  const number = (name: 'port' | 'flags'): number => {
    const value = Number(options[name]);
    if (options[name].trim() === '' || !Number.isInteger(value) || value < 0 || value > 0xffff)
      throw new Exit(EXIT.usage, `--${name} ${options[name]} is no number from 0 to 65535.`);
    return value;
  };
  const address = formatIp6(
    encodeTeredo({
      server: ip4('server'),
      flags: number('flags'),
      client: { ip: ip4('client'), port: number('port') },
    }),
  );
  if (options.json) printJson({ address });
  else print(address);
}
