// Module capture/file writes a running capture into a file that only its owner reads, until it ends.
import { open } from 'node:fs/promises';
import type { Api } from '../api.ts';
import { ServiceError, systemCode } from '../errors.ts';
import type { CaptureState } from './calls.ts';

const TAKE_MS = 250;

/** What this module asks of the client. */
export interface CaptureSource {
  /** With its own bounds. */
  begin(): Promise<CaptureState>;
  take(): ReturnType<Api['takeCaptured']>;
  end(): Promise<CaptureState>;
}

export interface CaptureFile {
  /** Resolves when it has ended and all of it is written. Rejects with ServiceError. */
  readonly finished: Promise<CaptureState>;
  stop(): void;
}

/** Begins a capture into `path`; `replace` false: a file that is there is left alone. Rejects with ServiceError. */
export async function captureInto(
  source: CaptureSource,
  path: string,
  { replace }: { readonly replace: boolean },
): Promise<CaptureFile> {
  const failed = (error: unknown): never => {
    if (error instanceof ServiceError) throw error;
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new ServiceError(
      exists ? 'file-exists' : 'file-unwritable',
      exists
        ? `${path} is there already; name another file.`
        : `${path} could not be written: ${(error as Error).message}.`,
      { path, why: systemCode(error) },
    );
  };
  const file = await open(path, replace ? 'w' : 'wx', 0o600).catch(failed);
  let wake = (): void => undefined;
  let stopped = false;
  const write = async (): Promise<CaptureState> => {
    try {
      // It may have been another's before.
      await file.chmod(0o600);
      await source.begin();
      for (;;) {
        if (stopped) await source.end();
        const { data, ...state } = await source.take();
        await file.write(Buffer.from(data, 'base64'));
        if (!state.running && data === '') return state;
        if (state.running) {
          const timer = setTimeout(() => wake(), TAKE_MS);
          if (!stopped) await new Promise<void>((resolve) => (wake = resolve));
          clearTimeout(timer);
        }
      }
    } catch (error) {
      await source.end().catch(() => undefined);
      return failed(error);
    } finally {
      await file.close();
    }
  };
  return {
    finished: write(),
    stop: () => {
      stopped = true;
      wake();
    },
  };
}
