/** The JSON Schemas of policy/iec62443/schemas, compiled: one for each kind of policy file. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parseJson } from '../../../protocol/canonical.ts';
import { Problem } from '../../../protocol/problem.ts';
import { readFileBounded } from '../../lib/files.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'policy', 'iec62443', 'schemas');
const LIMIT = 65_536;
const ENDING = '.schema.json';

/** A value that has not the form of its schema, and where, as `claims[0].checks[1].id`. */
export interface Misfit {
  readonly place: string;
  readonly message: string;
}

/** What does not fit in a value; empty when it has the form. */
export type SchemaCheck = (value: unknown) => Misfit[];

/** The checks of all schemas by the names of their files; refuses `file-invalid` for a schema that is none. */
export function readSchemas(folder: string = FOLDER): ReadonlyMap<string, SchemaCheck> {
  const ajv = new Ajv2020({ allErrors: true, strict: true });
  formats.default(ajv);
  ajv.addKeyword({ keyword: 'uniqueBy', type: 'array', schemaType: 'string', validate: isUniqueBy });
  const files = readdirSync(folder).filter((file) => file.endsWith(ENDING));
  try {
    for (const file of files) ajv.addSchema(parseJson(readFileBounded(join(folder, file), LIMIT)!, LIMIT) as object);
    return new Map(
      files.map((file) => {
        const validate = ajv.getSchema(file)!;
        const fits: SchemaCheck = (value) => (validate(value) ? [] : validate.errors!.map(misfitOf));
        return [file.slice(0, -ENDING.length), fits];
      }),
    );
  } catch (thrown) {
    throw new Problem('file-invalid', `${folder}: ${(thrown as Error).message}`);
  }
}

/** No two entries have the same value at `key`. */
function isUniqueBy(key: string, entries: readonly Readonly<Record<string, unknown>>[]): boolean {
  return new Set(entries.map((entry) => entry?.[key])).size === entries.length;
}

function misfitOf({ instancePath, message = 'does not fit', keyword, params }: ErrorObject): Misfit {
  const place = instancePath
    .slice(1)
    .replace(/\/(\d+)(?=\/|$)/g, '[$1]')
    .replaceAll('/', '.');
  const { additionalProperty, allowedValues } = params as {
    readonly additionalProperty?: string;
    readonly allowedValues?: readonly string[];
  };
  // The line of an unknown key is that of the key, and a list of what is allowed is more help than its having one.
  if (additionalProperty !== undefined) {
    const at = place === '' ? additionalProperty : `${place}.${additionalProperty}`;
    return { place: at, message: `"${additionalProperty}" is no key here` };
  }
  if (allowedValues) return { place, message: `must be one of ${allowedValues.join(', ')}` };
  if (keyword === 'uniqueBy') return { place, message: 'two entries are of the same' };
  return { place, message };
}
