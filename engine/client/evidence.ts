// Module client/evidence keeps whether anything ever came to the address that a server gave us: a server can lie about our mapping.
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint, Ip6 } from '../wire/index.ts';
import type { Peer } from './peers.ts';
import type { NatKind } from './types.ts';

/** So many different peers must stay silent, and nobody speak, before the address is doubted: one or two may be off. */
const SILENT_PEERS = 3;
/** More are not counted. */
const MAX_SILENT_PEERS = 64;

/**
 * Nobody can answer to a mapping that is not ours: their routers and relays check it (RFC 4380 §5.2.3), and their packets go
 * elsewhere. So one packet from any peer proves the mapping, and the silence of all who were asked speaks against it.
 */
export class Evidence {
  private proven = false;
  private readonly silent = new Set<Ip6>();
  private nextAsk = SILENT_PEERS;

  /** Another mapping, or another server: all is open again. */
  begin(): void {
    this.proven = false;
    this.silent.clear();
    this.nextAsk = SILENT_PEERS;
  }

  /** The way to `peer` opened, or could not be opened although our server answers. `nat`: as far as it is known. */
  path(peer: Peer, open: boolean, nat: NatKind): void {
    if (open) this.proven = true;
    // Strangers can have us ask whom they like; to Teredo peers a symmetric NAT often has no way; and without a NAT the
    // mapping is an address that this PC has, which needs no proof.
    else if (!peer.fromOutside && nat !== 'none' && !(peer.teredo && nat === 'symmetric'))
      if (this.silent.size < MAX_SILENT_PEERS) this.silent.add(peer.address);
  }

  /** All who were asked are silent, and nobody ever spoke. */
  get isMissing(): boolean {
    return !this.proven && this.silent.size >= SILENT_PEERS;
  }

  /** Another server's view is wanted: at first, and each time that twice as many peers are silent. */
  get wantsView(): boolean {
    return this.isMissing && this.silent.size >= this.nextAsk;
  }

  /** Its view was asked for. */
  asked(): void {
    this.nextAsk = this.silent.size * 2;
  }

  /**
   * Another server sees us at `seen`, ours says `said`: true when the two agree, and then it is the peers that are off. A
   * symmetric NAT has one address, but another port for each destination.
   */
  agrees(seen: Endpoint, said: Endpoint, nat: NatKind): boolean {
    const agreed = nat === 'symmetric' ? seen.ip === said.ip : sameEndpoint(seen, said);
    if (agreed) this.proven = true;
    return agreed;
  }
}
