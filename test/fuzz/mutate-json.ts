/** Changes to JSON documents: to the tree, and to what no tree can hold (keys that stand twice, spellings, nesting). */
import { utf8 } from '../../protocol/bytes.ts';
import { bytesMutator } from './mutate-bytes.ts';
import type { Random } from './random.ts';
import type { Mutator } from './target.ts';

/** JSON text that is printed as it stands. */
class Raw {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Tree = null | boolean | number | string | Raw | readonly Tree[] | { readonly [key: string]: Tree };

/** Values that programs stumble over, as JSON text. */
const STUMBLING: readonly ((random: Random) => string)[] = [
  ...['null', 'true', '""', '[]', '{}', '0', '-0', '-1', '0.5', '1e400', '-1e400', '1e-400', '1E2', '2.0'],
  ...['9007199254740991', '9007199254740992', '4294967295', '4294967296', '123456789012345678901234567890'],
  ...['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"__proto__"', '"constructor"', '"\\u202e"', '"\\ufeff"'],
  ...['{"__proto__":{"v":1}}', '{"toString":1,"constructor":2}', '{"length":4294967295}', '{"v":1,"v":1}'],
].map((text) => () => text);
const LARGE: readonly ((random: Random) => string)[] = [
  (random) => nested('[', ']', depth(random)),
  (random) => nested('{"a":', '}', depth(random)),
  (random) => `"${'a'.repeat(depth(random))}"`,
  (random) => `"${'\\u00e9'.repeat(depth(random))}"`,
  (random) => `[${Array.from({ length: depth(random) }, (_, i) => i).join()}]`,
  (random) => `{${Array.from({ length: depth(random) }, (_, i) => `"k${i}":0`).join()}}`,
  (random) => '9'.repeat(depth(random)),
];

const mutateText = bytesMutator(['"', '{', '}', '[', ']', ',', ':', 'null', '\\u0000', '"v":1,', '1e9', ' ', '\n']);

/**
 * Changes one to three places of a JSON document and prints it, canonical where the change allows it. What is no JSON
 * (any more), or nested so deep that no stack holds it, is changed as text, and so is one document in eight.
 */
export const jsonMutator: Mutator = (random, input, other) => {
  const tree = parse(input);
  if (tree === undefined || random.once(8)) return mutateText(random, input, other);
  try {
    return utf8(warpedText(random, tree, parse(other) ?? null));
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    return mutateText(random, input, other);
  }
};

function warpedText(random: Random, tree: Tree, other: Tree): string {
  let changed = tree;
  for (let left = 1 + random.below(3); left > 0; left--) changed = warp(random, changed, other);
  const text = print(changed);
  return random.once(16) ? text.replaceAll(',', ' ,\n') : text;
}

function parse(bytes: Uint8Array): Tree | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as Tree;
  } catch {
    return undefined;
  }
}

function warp(random: Random, value: Tree, other: Tree): Tree {
  if (value instanceof Raw) return value;
  if (typeof value === 'string') return random.once(3) ? stumble(random, other) : warpText(random, value);
  if (typeof value !== 'object' || value === null || random.once(16)) return stumble(random, other);
  if (Array.isArray(value)) return warpList(random, value as readonly Tree[], other);
  return warpObject(random, value as { readonly [key: string]: Tree }, other);
}

function warpList(random: Random, items: readonly Tree[], other: Tree): Tree {
  const at = random.below(items.length + 1);
  const item = items[at] ?? items[0] ?? null;
  const [before, after] = [items.slice(0, at), items.slice(at + 1)];
  switch (random.below(6)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...before, item, item, ...after];
    case 2:
      return new Raw(`[${Array.from({ length: 1 + random.below(300) }, () => print(item)).join()}]`);
    case 3:
      return items.toReversed();
    default:
      return [...before, warp(random, item, other), ...after];
  }
}

function warpObject(random: Random, fields: { readonly [key: string]: Tree }, other: Tree): Tree {
  const names = Object.keys(fields);
  if (names.length === 0) return stumble(random, other);
  const name = random.pick(names);
  const rest = Object.entries(fields).filter(([key]) => key !== name);
  const field = fields[name]!;
  switch (random.below(12)) {
    case 0:
      return Object.fromEntries(rest);
    case 1:
      return Object.fromEntries([...rest, [random.pick(['__proto__', 'toString', `${name}x`, '']), field]]);
    case 2:
      return Object.fromEntries([
        ...Object.entries(fields),
        [random.pick(['extra', 'then', '\u0000']), random.once(2) ? field : stumble(random, other)],
      ]);
    case 3: {
      const twice = `${JSON.stringify(name)}:${print(random.once(2) ? field : stumble(random, other))}`;
      const text = print(fields);
      return new Raw(random.once(2) ? `{${twice},${text.slice(1)}` : `${text.slice(0, -1)},${twice}}`);
    }
    default:
      return Object.fromEntries([...rest, [name, warp(random, field, other)]]);
  }
}

/** A text that is nearly the same: right length and wrong letter, right letters and wrong length. */
function warpText(random: Random, text: string): Tree {
  const at = random.below(text.length + 1);
  const letter = random.pick(['A', 'a', '0', '-', '_', '=', '/', '.', ' ', '\u0000', 'é', '\u2028', '😀']);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at) + letter + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    case 2:
      return text.repeat(1 + random.below(4));
    default:
      return text.slice(0, at) + letter + text.slice(at + 1);
  }
}

function stumble(random: Random, other: Tree): Tree {
  if (random.once(8)) return other;
  return new Raw(random.pick(random.once(12) ? LARGE : STUMBLING)(random));
}

/** JSON in canonical form (RFC 8785) but for what stands raw in it. */
function print(value: Tree): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(print).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = value as { readonly [key: string]: Tree };
  const names = Object.keys(fields).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${print(fields[name]!)}`).join()}}`;
}

function nested(open: string, close: string, times: number): string {
  return open.repeat(times) + (open.endsWith(':') ? '0' : '') + close.repeat(times);
}

/** How often something is repeated: mostly a little, now and then more than any stack holds. */
function depth(random: Random): number {
  return 1 + random.below(2 ** (1 + Math.min(random.below(15), random.below(15))));
}
