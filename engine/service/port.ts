// Module service/port chooses the UDP port of a client.
import { HostError } from '../host/types.ts';
import type { Host } from '../host/types.ts';
import type { StateStore } from './state-file.ts';

/** Ports from which ours is drawn: the dynamic ones (RFC 6335 §6). */
const FIRST_DYNAMIC_PORT = 49_152;
const PORT_ATTEMPTS = 16;

/**
 * `fixed` unless it is 0, else the port of the last run if it is free, else one drawn at random: NATs that keep ports must not meet two
 * of us on one. `mapped`: the router is to map it. Throws HostError 'port-taken'.
 */
export async function choosePort(
  host: Host,
  fixed: number,
  state: StateStore,
  mapped: boolean,
): Promise<number> {
  if (fixed !== 0) return fixed;
  // A router keeps ways in use as they are: only a port without a past comes out by a mapping.
  const remembered = state.value.portMapped === mapped ? state.value.port : null;
  if (remembered !== null && (await host.isPortFree(remembered))) return remembered;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const draw = host.random.bytes(2);
    const port = FIRST_DYNAMIC_PORT + (((draw[0]! << 8) | draw[1]!) >>> 2);
    if (!(await host.isPortFree(port))) continue;
    state.note({ port, portMapped: mapped });
    return port;
  }
  throw new HostError('port-taken', 'No free UDP port was found; choose one with --port.');
}
