// Module builtin/faults says what can go wrong on the built-in network, and does it.
import type { Interface, Nat } from '../../sim/index.ts';
import { NAT_KINDS } from '../../sim/index.ts';
import { TEREDO_PORT } from '../../wire/index.ts';
import type { AccessKind } from './places.ts';

const LOSS = 0.2;
const REBOOT_MS = 5_000;

/** `passing`: it happens once and is over by itself. */
export const FAULTS = {
  server: { text: 'the server says nothing', passing: false },
  'port-3544': { text: 'the network blocks UDP port 3544, the servers’', passing: false },
  udp: { text: 'the network blocks all UDP', passing: false },
  portal: {
    text: 'a sign-in page: no UDP, and each name leads to the page',
    passing: false,
  },
  loss: { text: 'one packet in five is lost', passing: false },
  line: { text: 'the provider’s line is cut', passing: false },
  cable: { text: 'the cable is pulled out of your PC', passing: false },
  relay: { text: 'the relay says nothing', passing: false },
  'relay-moved': { text: 'the way to Teredo leads to another relay', passing: false },
  reboot: { text: 'your router restarts and forgets everything', passing: true },
  renumber: { text: 'your provider gives your router another address', passing: true },
} as const satisfies Record<string, { readonly text: string; readonly passing: boolean }>;
export type FaultName = keyof typeof FAULTS;

/** What faults act on. */
export interface Parts {
  readonly kind: AccessKind;
  readonly router: Nat | null;
  /** The PC's. */
  readonly plug: Interface;
  readonly server: readonly Interface[];
  readonly relay: Interface;
}

/** Puts the network into the state in which exactly the `active` faults are. */
export function applyFaults(parts: Parts, active: ReadonlySet<FaultName>): void {
  const { kind, router, plug, server, relay } = parts;
  const has = (name: FaultName): boolean => active.has(name);
  for (const each of server) each.line.up = !has('server');
  relay.line.up = !has('relay');
  const line = router?.line ?? plug.line;
  line.set({ loss: has('loss') ? LOSS : 0 });
  line.up = !has('line');
  const all = has('udp') || has('portal');
  if (router && kind !== 'none')
    router.setBehaviour({
      blockedPorts: all ? 'all' : has('port-3544') ? [TEREDO_PORT] : NAT_KINDS[kind].blockedPorts,
    });
  else if (all) line.up = false;
  plug.setUp(!has('cable'));
}

/** Lets a passing fault happen; `address` is what a renumbering gives. */
export function happen(name: FaultName, router: Nat | null, address: number): void {
  if (name === 'reboot') router?.reboot(REBOOT_MS);
  if (name === 'renumber') router?.renumber([address]);
}
