/** A YAML file that an operator wrote: bounded and strict; a refusal names the line. */
import { type Document, isNode, LineCounter, parseDocument, visit } from 'yaml';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { readFileBounded } from './files.ts';

/** Far above any honest file; the time that YAML takes grows with the square of the keys. */
const LIMIT = 65_536;

/**
 * What `parse` makes of the file. Refuses `config-missing` and `config-invalid`, that also for what `parse` refuses with
 * the path of a value, as `interfaces[0].address`.
 */
export function readYamlFile<T>(path: string, parse: (value: unknown) => T): T {
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('config-missing', `${path} does not exist`);
  const lines = new LineCounter();
  const refuse = (offset: number, fact: string): Problem =>
    new Problem('config-invalid', `${path}:${lines.linePos(offset).line}: ${fact}`);
  const document = parsed(Buffer.from(bytes).toString('utf8'), lines, () => refuse(0, 'is nested too deep'));
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault) throw refuse(fault.pos[0], fault.message);
  visit(document, {
    Alias(_key, node) {
      throw refuse(node.range?.[0] ?? 0, 'aliases are not allowed');
    },
  });
  try {
    return parse(document.toJS());
  } catch (thrown) {
    const { path: place, detail } = asProblem(thrown);
    throw refuse(offsetOf(document, place), detail);
  }
}

/** Keys are texts: printing a key that is a map of maps takes a time without bound. */
function parsed(text: string, lineCounter: LineCounter, tooDeep: () => Problem): Document {
  try {
    return parseDocument(text, { lineCounter, strict: true, uniqueKeys: true, stringKeys: true, prettyErrors: false });
  } catch (thrown) {
    throw thrown instanceof RangeError ? tooDeep() : thrown;
  }
}

/** Offset of the value at `path`, or of the nearest value around it that exists. */
function offsetOf(document: Document, path: string): number {
  const steps = [...path.matchAll(/[^.[\]]+/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
  for (let length = steps.length; length > 0; length--) {
    const node = document.getIn(steps.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return document.contents?.range?.[0] ?? 0;
}
