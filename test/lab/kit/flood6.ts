// Module lab/kit/flood6 is a program: a native host that names made-up Teredo addresses, one UDP packet each, as fast as asked.
import { createSocket } from 'node:dgram';

/*
 * flood6.ts SERVER COUNT PERSECOND BYTES     packets of BYTES with IPv6 and UDP headers; prints how many milliseconds it took
 */
const [server, count, perSecond, bytes] = process.argv.slice(2);
const prefix = server!
  .split('.')
  .map((part) => Number(part).toString(16).padStart(2, '0'))
  .join('')
  .replace(/(.{4})(.{4})/, '2001:0:$1:$2');
/** The n-th client: another port and another global IPv4 address each. */
const made = (n: number): string =>
  `${prefix}:${(n & 0xfff).toString(16)}:${(n & 0xffff).toString(16)}:${(0x3000 | (n >>> 8)).toString(16)}:${(n & 0xffff).toString(16)}`;

const socket = createSocket({
  type: 'udp6',
  lookup: (address, _options, callback) => callback(null, address, 6),
});
const payload = new Uint8Array(Number(bytes) - 48);
const begin = performance.now();
let sent = 0;
/** What is due by now, then a breath. */
function burst(): void {
  const due = Math.min(Number(count), ((performance.now() - begin) / 1000) * Number(perSecond));
  for (; sent < due; sent++) socket.send(payload, 9, made(sent), () => undefined);
  if (sent < Number(count)) setTimeout(burst, 1);
  else
    process.stdout.write(`took ${Math.round(performance.now() - begin)} ms\n`, () =>
      socket.close(),
    );
}
burst();
