// Module client/nat-view tells the kind of NAT from what a server's two addresses see of us (RFC 4380 §5.2.1).
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import type { Role } from './qualification.ts';
import type { NatKind } from './types.ts';

/** The two views of one socket, and what they say together. */
export class NatView {
  kind: NatKind = 'unknown';
  private origins: Record<Role, Endpoint | null> = { primary: null, secondary: null };

  /** Another network, mapping or server; `primary`: what the server's primary address said of it already. */
  begin(primary: Endpoint | null = null): void {
    this.kind = 'unknown';
    this.origins = { primary, secondary: null };
  }

  see(role: Role, origin: Endpoint): void {
    this.origins[role] = origin;
  }

  get hasPrimary(): boolean {
    return this.origins.primary !== null;
  }

  /** Learns from what was seen; true when the kind is another than before. `own`: our mapping is an interface of ours. */
  learn(own: boolean): boolean {
    const { primary, secondary } = this.origins;
    let kind: NatKind = 'unknown';
    if (own) kind = 'none';
    else if (primary && secondary)
      kind = sameEndpoint(primary, secondary) ? 'restricted' : 'symmetric';
    if (kind === this.kind || kind === 'unknown') return false;
    this.kind = kind;
    return true;
  }
}
