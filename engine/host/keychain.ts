// Module host/keychain is the desktop's keychain as Shipworm uses it: one secret for each purpose, in whatever the platform has.

/** What is kept there for one purpose. `locked`: something is, and nobody may read it until the person unlocks the keychain. */
export type Kept =
  | { readonly state: 'found'; readonly secret: Uint8Array }
  | { readonly state: 'locked' }
  | { readonly state: 'none' };

/** A purpose: by `name` it is found again, `label` is what the keychain shows to people. */
export interface Purpose {
  readonly name: string;
  readonly label: string;
}

/** Everything throws HostError: 'keychain-locked' where the person did not unlock it, 'keychain-failed' for all else. */
export interface Keychain {
  /** Asks nobody. */
  read(purpose: Purpose): Promise<Kept>;
  /** Has the keychain ask the person, by its own prompt and once, if what is kept there is locked. */
  unlock(purpose: Purpose): Promise<void>;
  /** Keeps `secret` instead of what was kept. `asks`: the person is asked to unlock, or to make, what it goes into. */
  write(purpose: Purpose, secret: Uint8Array, asks: boolean): Promise<void>;
  /** Unlocks as `unlock` does; what is not there is not missed. */
  remove(purpose: Purpose): Promise<void>;
  close(): void;
}
