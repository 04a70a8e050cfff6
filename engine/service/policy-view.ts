// Module service/policy-view lists every effective value of a client with the place that it comes from.
import type { Settings } from './config.ts';
import type { PolicyValue, PolicyView } from './policy.ts';

/** Effective values: those of the policy, and every setting that it could lock. Source `default`, a file, or the command line. */
export function policyView(settings: Settings): PolicyView {
  const { policy, sources, gate } = settings;
  const value = (name: string, effective: unknown, setting: string | null): PolicyValue => {
    const file = policy.sources[name];
    const own = setting === null ? undefined : sources[setting];
    return {
      name,
      value: effective,
      source: file ?? own ?? 'default',
      locked: file !== undefined,
    };
  };
  return {
    files: policy.files,
    values: [
      value('state', policy.gate.state, null),
      value('serverName', settings.servers, 'server'),
      value('refreshRate', settings.refreshRate, null),
      value('clientPort', settings.port, 'port'),
      value('defaultQualified', policy.gate.defaultQualified, null),
      value('enabled', gate.on, 'enabled'),
      value('exposeAll', settings.exposeAll, 'exposeAll'),
      value('evenWithNativeIpv6', gate.evenWithNativeIpv6, 'evenWithNativeIpv6'),
      value('answerEcho', gate.answerEcho, 'answerEcho'),
      value('sleepAfter', gate.sleepAfterMs / 1000, 'sleepAfter'),
      value('newNetworks', gate.newNetworks, 'newNetworks'),
      value('allowPrivate', settings.allowPrivate, 'allowPrivate'),
      value('portMapping', settings.portMapping, 'portMapping'),
    ],
  };
}

/** `FILE: in force`, or what is wrong with it. */
export function policyFileText({ path, error }: PolicyView['files'][number]): string {
  // A fault of its content begins with its place.
  return error?.startsWith(`${path}: `) === true ? error : `${path}: ${error ?? 'in force'}`;
}

/** One line for each file that is not in force, and was not told of with `before`. */
export function policyFaults(
  files: PolicyView['files'],
  before: PolicyView['files'] = [],
): string[] {
  return files
    .filter(({ error }) => error !== null)
    .map(policyFileText)
    .filter((text) => !before.map(policyFileText).includes(text));
}
