// Module service/settings-document is the JSON document by which settings are carried from one PC to another.
import { z } from 'zod';
import { ServiceError } from './errors.ts';
import { judge } from './judge.ts';
import { fileSchema } from './settings-schema.ts';
import type { FileSettings } from './settings-schema.ts';

const DOCUMENT = 'shipworm settings';
const DOCUMENT_VERSION = 1;
const documentSchema = z.strictObject({
  document: z.literal(DOCUMENT, 'is not "shipworm settings"'),
  version: z.literal(DOCUMENT_VERSION, 'is one that this Shipworm does not know; use a newer one'),
  settings: z.record(z.string(), z.unknown(), 'must be an object of settings'),
});

export function documentOf(settings: FileSettings): string {
  const document = { document: DOCUMENT, version: DOCUMENT_VERSION, settings };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The settings of a document. Throws ServiceError 'bad-config'. */
export function settingsOf(text: string): FileSettings {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ServiceError('bad-config', 'Not imported: it is no JSON document.');
  }
  const { settings } = judge(documentSchema, json, 'Not imported');
  return judge(fileSchema, settings, 'Not imported');
}
