// Module words/shape says which words a language must have, given those of another.

/** The same keys with any text. A language without plural forms leaves `_one` away. */
export type Same<T> = {
  readonly [K in keyof T as K extends `${string}_one` ? never : K]: T[K] extends string
    ? string
    : Same<T[K]>;
};
