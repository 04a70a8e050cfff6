// Module service/failure is what failed, as data for whoever shows it. Pure.

/** What a sentence names, for a window that says it in another language. */
export type FailureParams = Readonly<Record<string, string | number>>;

/** A failure as data. `text` is the English of the same, for a terminal. */
export interface Failure {
  readonly code: string;
  readonly text: string;
  readonly params?: FailureParams | undefined;
}
