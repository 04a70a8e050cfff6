// Names what a datagram is, for tests that compare conversations.
import {
  isBubble,
  parseAdvertisement,
  parseDatagram,
  parseEcho,
  parseSolicitation,
} from '../../engine/wire/index.ts';

/** What a datagram is, in a word or two. */
export function kindOf(bytes: Uint8Array): string {
  const datagram = parseDatagram(bytes);
  if (!datagram.ok) return datagram.reason;
  const { packet, header, origin } = datagram.value;
  const from = origin ? ' with origin' : '';
  if (parseSolicitation(packet).ok) return 'solicitation';
  if (parseAdvertisement(packet).ok) return `advertisement${from}`;
  if (isBubble(header)) return `bubble${from}`;
  const echo = parseEcho(packet);
  if (echo.ok) return echo.value.reply ? 'echo reply' : 'echo request';
  return `data${from}`;
}
