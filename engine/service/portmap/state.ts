// Module portmap/state says what is shown of a port mapping. Needs no package, so that a window can bundle it.

/** What is shown of it. */
export interface PortMappingState {
  readonly state: 'off' | 'idle' | 'asking' | 'none' | 'mapped';
  readonly method: 'pcp' | 'nat-pmp' | 'upnp' | null;
  /** `198.51.100.7:40000`, or `:40000` where the router did not name its address. */
  readonly external: string | null;
  /** The user had made it himself, in the router. */
  readonly users: boolean;
  readonly text: string;
}

/** Port mapping is off. */
export const NOT_ASKED: PortMappingState = {
  state: 'off',
  method: null,
  external: null,
  users: false,
  text: 'Port mapping is off; the router is not asked.',
};
