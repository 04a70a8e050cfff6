// What the exposure is said to be: nobody, those that rules name, everybody.
import { expect, it } from 'vitest';
import { exposureOf } from '../../../engine/service/exposure.ts';
import { ALLOW_CURL, rule } from '../gate/harness.ts';

it('is closed without a rule that lets something pass', () => {
  const never = rule('1', { path: '/usr/bin/curl' }, { never: true, connectOut: false });
  for (const rules of [[], [never]])
    expect(exposureOf(false, rules)).toMatchObject({ mode: 'closed' });
});

it('counts who may use the tunnel and who may be reached', () => {
  const web = rule('2', { path: '/usr/bin/nginx' }, { beReached: [80] });
  expect(exposureOf(false, [ALLOW_CURL])).toMatchObject({
    mode: 'allowed',
    text: expect.stringMatching(/^1 application may use the tunnel, none may be reached/) as string,
  });
  expect(exposureOf(false, [ALLOW_CURL, web]).text).toMatch(/^2 applications .* 1 may be reached/);
});

it('does not count what the policy forbids', () => {
  const forbidden = rule(
    'policy-1',
    { path: '/usr/bin/curl', user: null },
    { from: 'policy', never: true, connectOut: false },
  );
  expect(exposureOf(false, [ALLOW_CURL, forbidden])).toMatchObject({ mode: 'closed' });
  const others = { ...forbidden, matcher: { ...forbidden.matcher, user: 7 } };
  expect(exposureOf(false, [ALLOW_CURL, others])).toMatchObject({ mode: 'allowed' });
});

it('names --expose-all as the risk it is', () => {
  expect(exposureOf(true, [])).toMatchObject({ mode: 'all' });
  expect(exposureOf(true, []).text).toMatch(/EVERY application .*whole Internet \(--expose-all\)/);
});
