/**
 * Shapes: strict descriptions of JSON documents that check and type a value in one step.
 *
 * An object has exactly the named fields; every string, number and list is bounded. A refusal is `schema-invalid`
 * and names the place, as `devices[3].name`.
 */
import { Problem } from './problem.ts';

export type Shape<T> = (value: unknown, path: string) => T;
export type Of<S> = S extends Shape<infer T> ? T : never;

type Fields = Record<string, Shape<unknown>>;
type Required<R extends Fields> = { readonly [K in keyof R]: Of<R[K]> };
type Optional<O extends Fields> = { readonly [K in keyof O]?: Of<O[K]> };

/** Checks `value` against `shape` from the document's root. */
export function check<T>(shape: Shape<T>, value: unknown): T {
  return shape(value, '');
}

/** A string whose length is within [min, max] UTF-16 units and that matches `pattern`; `what` names it in messages. */
export function text(what: string, min: number, max: number, pattern = /^[^\p{Cc}]*$/u): Shape<string> {
  return (value, path) => {
    if (typeof value !== 'string') throw wrong(path, what, value);
    if (value.length < min || value.length > max || !pattern.test(value)) throw wrong(path, what, value);
    return value;
  };
}

/** An integer within [min, max]. */
export function integer(min: number, max: number): Shape<number> {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw wrong(path, `an integer from ${min} to ${max}`, value);
    }
    return value as number;
  };
}

export const flag: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, 'true or false', value);
  return value;
};

/** One of the given strings or numbers. */
export function oneOf<const T extends readonly (string | number)[]>(choices: T): Shape<T[number]> {
  return (value, path) => {
    if (!choices.includes(value as T[number])) throw wrong(path, `one of ${choices.join(', ')}`, value);
    return value as T[number];
  };
}

/** A list of [min, max] items; with `key`, no two items may have the same key. */
export function list<T>(item: Shape<T>, min: number, max: number, key?: (item: T) => string): Shape<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, 'a list', value);
    if (value.length < min || value.length > max) {
      throw wrong(path, `a list of ${min} to ${max} items`, `a list of ${value.length}`);
    }
    const items = value.map((entry, i) => item(entry, `${path}[${i}]`));
    if (key) refuseRepeats(items.map(key), path);
    return items;
  };
}

/** An object with exactly the fields of `required` and any of `optional`. */
export function object<R extends Fields, O extends Fields = Record<never, never>>(
  required: R,
  optional?: O,
): Shape<Required<R> & Optional<O>> {
  return (value, path) => {
    const fields = plainObject(value, path);
    const out: Record<string, unknown> = {};
    for (const name of Object.keys(fields)) {
      const shape = ownShape(required, name) ?? ownShape(optional, name);
      if (!shape) throw new Problem('schema-invalid', `unknown key "${printable(name)}"`, join(path, name));
      out[name] = shape(fields[name], join(path, name));
    }
    for (const name of Object.keys(required)) {
      if (!Object.hasOwn(fields, name)) throw new Problem('schema-invalid', `key "${name}" is missing`, path);
    }
    return out as Required<R> & Optional<O>;
  };
}

/** An object whose keys are names of one kind, at most `max` of them. */
export function record<T>(name: Shape<string>, item: Shape<T>, max: number): Shape<Readonly<Record<string, T>>> {
  return (value, path) => {
    const entries = Object.entries(plainObject(value, path));
    if (entries.length > max) throw wrong(path, `at most ${max} keys`, `${entries.length}`);
    return Object.fromEntries(
      entries.map(([key, entry]) => [name(key, join(path, key)), item(entry, join(path, key))]),
    );
  };
}

function ownShape(fields: Fields | undefined, name: string): Shape<unknown> | undefined {
  return fields && Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function plainObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object', value);
  return value as Record<string, unknown>;
}

function refuseRepeats(keys: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const [i, key] of keys.entries()) {
    if (seen.has(key)) throw new Problem('schema-invalid', `"${printable(key)}" stands twice`, `${path}[${i}]`);
    seen.add(key);
  }
}

function join(path: string, name: string): string {
  return path === '' ? printable(name) : `${path}.${printable(name)}`;
}

function wrong(path: string, expected: string, value: unknown): Problem {
  const got = typeof value === 'string' ? `"${printable(value)}"` : describe(value);
  return new Problem('schema-invalid', `${path || 'document'} must be ${expected}, not ${got}`, path);
}

function describe(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Attacker-controlled text made safe to print: at most 40 characters, no control characters. */
function printable(value: string): string {
  const clean = value.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 40 ? `${clean.slice(0, 37)}...` : clean;
}
