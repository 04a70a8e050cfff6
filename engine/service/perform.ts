// Module service/perform makes one call of the API for somebody whose words must be checked first.
import type { z } from 'zod';
import { calls } from './api.ts';
import type { Api, CallName, RelayApi, ServerApi } from './api.ts';
import { ServiceError } from './errors.ts';

/** `params` as `schema` has them. Throws ServiceError 'bad-request'. */
export function parseParams<S extends z.ZodType>(schema: S, params: unknown): z.infer<S> {
  const parsed = schema.safeParse(params ?? {});
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    'bad-request',
    parsed.error.issues.map((issue) => issue.message).join('; '),
  );
}

/** Makes the call `name` of `api`. Throws ServiceError 'bad-request' or 'unknown-call', or what the call throws. */
export async function performCall(
  api: Partial<Api> | ServerApi | RelayApi,
  name: CallName,
  params: unknown,
): Promise<unknown> {
  const parsed = parseParams(calls[name].params, params);
  const method = (api as Partial<Api>)[name] as ((given: unknown) => Promise<unknown>) | undefined;
  if (!method)
    throw new ServiceError('unknown-call', `What runs there has no ${name}; see: shipworm status`);
  return method(parsed);
}
