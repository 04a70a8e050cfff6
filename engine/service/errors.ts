// Module service/errors names the failures that a person can mend.
import { HostError } from '../host/types.ts';
import type { Failure, FailureParams } from './failure.ts';

export type ServiceErrorCode =
  | 'already-running'
  | 'not-running'
  | 'control-failed'
  | 'metrics-failed'
  | 'bad-config'
  | 'bad-request'
  | 'unknown-call'
  | 'weakens'
  | 'locked'
  | 'file-unreadable'
  | 'file-unwritable'
  | 'file-exists'
  | 'server-unknown'
  | 'no-host-name'
  | 'list-full'
  | 'owners-unknown'
  | 'question-gone'
  | 'program-unknown'
  | 'program-ended'
  | 'process-gone'
  | 'rule-of-policy'
  | 'rule-unknown'
  | 'no-offer'
  | 'address-unusable'
  | 'no-address-or-name'
  | 'pc-exists'
  | 'pc-unknown'
  | 'nothing-to-tell'
  | 'no-address-yet'
  | 'not-on-built-in'
  | 'guide-unopened'
  | 'capture-runs'
  | 'look-runs'
  | 'no-ipv4-address'
  | 'same-addresses'
  | 'failed';

/** `message` is one sentence that says what is wrong and what to do; `code` is listed in docs/codes.md. */
export class ServiceError extends Error {
  readonly code: string;
  readonly params: FailureParams;
  /** A code from elsewhere is one that another part of the program gave before. */
  constructor(code: ServiceErrorCode | (string & {}), text: string, params: FailureParams = {}) {
    super(text);
    this.name = 'ServiceError';
    this.code = code;
    this.params = params;
  }
}

/** The code of any failure, for docs/codes.md. */
export function codeOf(error: unknown): string {
  return error instanceof ServiceError || error instanceof HostError ? error.code : 'failed';
}

/** Any failure as data. */
export function failureOf(error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error);
  const params = error instanceof ServiceError || error instanceof HostError ? error.params : {};
  return { code: codeOf(error), text, params };
}

/** Why a file could not be had: the system's own code. */
export const systemCode = (error: unknown): string =>
  (error as NodeJS.ErrnoException | null)?.code ?? 'unknown';
