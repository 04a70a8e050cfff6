// Module service/settings-shape says what the value of a setting may look like, for those who let a person change it.
import { z } from 'zod';
import type { SettingRow } from './settings-calls.ts';
import { settingsSchema } from './settings-schema.ts';

type Shape = Pick<SettingRow, 'kind' | 'choices' | 'min' | 'max'>;
const shapes = new Map<string, Shape>();

/** What a value may look like, as the schema has it. */
export function shapeOf(name: string): Shape {
  const known = shapes.get(name);
  if (known) return known;
  const schema = settingsSchema.shape[name as keyof typeof settingsSchema.shape] as z.ZodType;
  const found = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' });
  const { type, enum: choices, minimum, maximum, anyOf } = found;
  const kind =
    anyOf || type === 'array'
      ? 'list'
      : choices
        ? 'choice'
        : type === 'boolean'
          ? 'flag'
          : type === 'integer' || type === 'number'
            ? 'number'
            : type === 'object'
              ? 'object'
              : 'text';
  const shape: Shape = {
    kind,
    choices: choices ? choices.map(String) : null,
    min: typeof minimum === 'number' ? minimum : null,
    max: typeof maximum === 'number' ? maximum : null,
  };
  shapes.set(name, shape);
  return shape;
}
