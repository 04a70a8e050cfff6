// Module service/errors names the failures that a person can mend.

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
