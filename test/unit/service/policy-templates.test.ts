// The policy templates say what the policy's own schema says: the JSON schema is made from it, the ADMX names the same keys.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { policyFileSchema } from '../../../engine/service/policy.ts';

const admx = readFileSync('assets/policy/shipworm.admx', 'utf8');
const adml = readFileSync('assets/policy/en-US/shipworm.adml', 'utf8');
const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map((match) => match[1]!);

/** Throws unless `text` is well-formed: one root, each tag closed in its turn, attributes quoted (XML 1.0 §2.1, §3.1). */
function wellFormed(text: string): void {
  const open: string[] = [];
  let roots = 0;
  const body = text.replace(/^<\?xml[^?]*\?>/, '').replace(/<!--(?:(?!--)[^])*-->/g, '');
  const pattern = /<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w:.-]+="[^"<&]*")*)\s*(\/?)>|([^<]+)/gy;
  let at = 0;
  for (let match = pattern.exec(body); match; match = pattern.exec(body)) {
    at = pattern.lastIndex;
    const [, closes, name, , empty, characters] = match;
    if (characters !== undefined) {
      if (characters.trim() !== '' && open.length === 0)
        throw new Error(`text outside: ${characters}`);
      if (/&(?!(amp|lt|gt|quot|apos);)/.test(characters)) throw new Error(`bare &: ${characters}`);
    } else if (closes) {
      if (open.pop() !== name) throw new Error(`</${name}> closes another`);
    } else {
      if (open.length === 0) roots += 1;
      if (!empty) open.push(name!);
    }
  }
  if (at !== body.length) throw new Error(`not XML: ${body.slice(at, at + 40)}`);
  if (open.length > 0 || roots !== 1) throw new Error(`open: ${open.join()}; roots: ${roots}`);
}

test('the JSON schema is the one that files are judged by', async () => {
  const schema = z.toJSONSchema(policyFileSchema, { io: 'input' });
  const text = `${JSON.stringify({ title: 'Machine policy of Shipworm', ...schema }, null, 2)}\n`;
  // Written anew by: vitest run -u
  await expect(text).toMatchFileSnapshot('../../../assets/policy/shipworm.schema.json');
});

test('the test knows what is not well-formed', () => {
  for (const text of [
    '<a>',
    '<a></b>',
    '<a/><b/>',
    'x<a/>',
    '<a b=c/>',
    '<a>&x</a>',
    '<a><b></a></b>',
  ])
    expect(() => wellFormed(text), text).toThrow();
  wellFormed('<?xml version="1.0"?><!-- x --><a b="c"><d/>e &amp; f</a>');
});

test('the Group Policy template is XML, and has a setting for each key', () => {
  wellFormed(admx);
  wellFormed(adml);
  const policies = all(admx, /<policy name="([^"]+)"/g);
  expect(policies).toEqual(Object.keys(policyFileSchema.shape));
  expect(all(admx, /<value><string>([^<]+)</g)).toEqual([
    ...policyFileSchema.shape.state.unwrap().options,
  ]);
});

test('every text and presentation that it names exists, and no other', () => {
  const used = new Set(all(admx, /\$\(string\.([^)]+)\)/g));
  expect(new Set(all(adml, /<string id="([^"]+)"/g))).toEqual(used);
  const shown = new Set(all(admx, /\$\(presentation\.([^)]+)\)/g));
  expect(new Set(all(adml, /<presentation id="([^"]+)"/g))).toEqual(shown);
  const elements = all(admx, /<(?:enum|text|decimal|list) id="([^"]+)"/g);
  expect(all(adml, /refId="([^"]+)"/g)).toEqual(elements);
});
