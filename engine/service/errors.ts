// Module service/errors names the failures that a person can mend.
import { HostError } from '../host/types.ts';

export type ServiceErrorCode =
  'already-running' | 'not-running' | 'control-failed' | 'metrics-failed' | 'bad-config' | 'failed';

/** `message` is one sentence that says what is wrong and what to do; `code` is listed in docs/codes.md. */
export class ServiceError extends Error {
  readonly code: string;
  constructor(code: ServiceErrorCode | (string & {}), text: string) {
    super(text);
    this.name = 'ServiceError';
    this.code = code;
  }
}

/** The code of any failure, for docs/codes.md. */
export function codeOf(error: unknown): string {
  return error instanceof ServiceError || error instanceof HostError ? error.code : 'failed';
}
