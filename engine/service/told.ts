// Module service/told names the events of the log that a window says in its own language; the text is the English of the same. Pure.

/** Each with its values in the order in which they are given. Never renamed. */
export const TOLD = [
  'begun',
  'sleeps',
  'woke',
  'state',
  'nat',
  'interval',
  'mapped',
  'peer-up',
  'peer-gone',
  'many-peers',
  'qualified',
  'asking',
  'exposure',
  'port-lost',
  'command-ran',
  'command-failed',
  'name-updated',
  'name-not-updated',
  'reloaded',
  'keychain-asked',
  'keychain-locked',
  'keychain-failed',
  'identity-moved',
  'identity-stays',
] as const;

/** What happened, by its code, and with what. */
export interface Told {
  readonly code: (typeof TOLD)[number];
  readonly params: Readonly<Record<string, string | number>>;
}

export const told = (code: Told['code'], params: Told['params'] = {}): { readonly told: Told } => ({
  told: { code, params },
});
