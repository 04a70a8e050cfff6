// Module lab/kit/nat writes the nftables rules of the home routers, one set for each kind of NAT.

/**
 * - `restricted`: one port for all destinations; only an endpoint that was written to may answer (RFC 4787 §5, address and
 *   port-dependent filtering).
 * - `cone`: one port for all destinations; everybody may write to it.
 * - `symmetric`: another port for each destination.
 * - `preserving`: a port is kept for the first destination, the others get random ones.
 * - `sequential`: another port for each destination, the next one each time.
 * - `open`: as restricted, but what nobody asked for reaches the router itself, which makes a connection of it.
 * - `blocked`: as restricted, and nothing passes to UDP port 3544.
 */
export type NatKind =
  'restricted' | 'cone' | 'symmetric' | 'preserving' | 'sequential' | 'open' | 'blocked';

/** Rules for a router whose outside is `e0` and whose only inside host is `host`; they replace the former ones. */
export function natRules(kind: NatKind, host: string): string {
  const asked = 'ct state established,related';
  const lines = ['flush ruleset', 'table ip home {'];
  if (kind === 'preserving')
    lines.push('set used { type inet_service; size 1024; flags dynamic; timeout 2m; }');
  lines.push('chain leaving { type nat hook postrouting priority srcnat;');
  // Connection tracking keeps the source port if no other connection of the router has it.
  if (kind === 'preserving') {
    lines.push('oifname "e0" udp sport @used masquerade fully-random');
    lines.push('oifname "e0" meta l4proto udp add @used { udp sport } masquerade');
  }
  if (kind === 'sequential')
    lines.push('oifname "e0" meta l4proto udp masquerade to :numgen inc mod 20000 offset 20000');
  lines.push(`oifname "e0" masquerade ${kind === 'symmetric' ? 'fully-random' : ''}`, '}');
  if (kind === 'cone') {
    lines.push('chain arriving { type nat hook prerouting priority dstnat;');
    lines.push(`iifname "e0" meta l4proto udp dnat to ${host}`, '}');
  }
  lines.push('chain passing { type filter hook forward priority filter;');
  if (kind === 'blocked') lines.push('oifname "e0" udp dport 3544 drop');
  if (kind === 'cone') lines.push('iifname "e0" ct status dnat accept');
  lines.push(`iifname "e0" ${asked} accept`, 'iifname "e0" drop', '}');
  if (kind !== 'open') {
    lines.push('chain incoming { type filter hook input priority filter;');
    lines.push(`iifname "e0" ${asked} accept`, 'iifname "e0" drop', '}');
  }
  lines.push('}');
  return `${lines.join('\n')}\n`;
}
