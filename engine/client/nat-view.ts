// Module client/nat-view tells the kind of NAT from what a server's two addresses see of us (RFC 4380 §5.2.1).
import { sameEndpoint } from '../wire/index.ts';
import type { Endpoint } from '../wire/index.ts';
import type { NatFlags } from './extension.ts';
import type { Role } from './qualification.ts';
import type { NatKind } from './types.ts';

/** The two views of one socket, and what they say together. */
export class NatView {
  kind: NatKind = 'unknown';
  /** The mapping that our router granted us on request (RFC 6081 §5.3.3). */
  granted: Endpoint | null = null;
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

  /** What RFC 6081 §5.3.3 and §5.4.3 make of it; `mapped` is our mapping, `localPort` the service port. */
  writeFlags(flags: NatFlags, mapped: Endpoint | null, localPort: number): void {
    const { granted, kind } = this;
    if (kind !== 'unknown') flags.symmetric = kind === 'symmetric';
    flags.mapped = granted !== null;
    // A port that the router granted says nothing about those that it chooses itself.
    flags.portPreserving = mapped?.port === localPort && !granted;
    flags.external = granted && mapped && !sameEndpoint(granted, mapped) ? granted : null;
  }
}
