/** One file of the policy: YAML, bounded and strict, that knows the line of each of its values. */
import { type Document, isNode, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type { SchemaCheck } from './schemas.ts';

/** Something that is wrong with the policy, and where. */
export interface Finding {
  /** Path from the project's folder. */
  readonly file: string;
  readonly line: number;
  /** Name of the rule that is broken. */
  readonly rule: string;
  readonly message: string;
}

/** Words for a verdict, which nobody may type. */
const VERDICT_KEYS = /^(status|verdict|result|met|state|passed|sl|slc|evidence|compliant)$/i;
/** What stands where somebody meant to write something later. */
const STUB = /\b(t[o]do|tbd|tbc|fixme|xxx|lorem ipsum|placeholder|to be (done|written|defined))\b|\.\.\./i;
/** What only a certification body may say. */
const CLAIMED = /\b(compliant|complian[c]e|certifi(ed|cation)|conformant)\b/i;

export class PolicyFile {
  readonly path: string;
  readonly text: string;
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #faults: Finding[] = [];

  /** `path` is for messages. What is not strict YAML is a finding. */
  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    const lineCounter = this.#lines;
    const options = { lineCounter, strict: true, uniqueKeys: true, stringKeys: true, prettyErrors: false } as const;
    this.#document = parseDocument(text, options);
    for (const { pos, message } of [...this.#document.errors, ...this.#document.warnings]) {
      this.#add('yaml', pos[0], message);
    }
    if (this.#faults.length === 0) this.#look();
  }

  /** What is wrong with the file by itself. */
  get faults(): readonly Finding[] {
    return this.#faults;
  }

  /** The content if it has the form of `schema`; undefined when it has not, which is a fault from then on. */
  read<T>(schema: SchemaCheck): T | undefined {
    if (this.#faults.some(({ rule }) => rule === 'yaml')) return undefined;
    const content: unknown = this.#document.toJS();
    const misfits = schema(content);
    for (const { place, message } of misfits) {
      this.#add('schema', this.#offsetOf(place), `${place || 'the file'}: ${message}`);
    }
    return misfits.length === 0 ? (content as T) : undefined;
  }

  /** A finding at the value at `place`, as `claims[0].checks[1].id`. */
  finding(rule: string, place: string, message: string): Finding {
    return { file: this.path, line: this.#lineAt(this.#offsetOf(place)), rule, message };
  }

  /** Keys and texts that no policy file may hold, whatever its shape. */
  #look(): void {
    visit(this.#document, {
      Alias: (_key, node) => this.#add('yaml', node.range?.[0] ?? 0, 'aliases are not allowed'),
      Pair: (_key, { key }) => {
        if (isScalar(key) && VERDICT_KEYS.test(String(key.value)))
          this.#add('typed-verdict', key.range?.[0] ?? 0, `"${key.value}" is typed in; verdicts are computed`);
      },
      Scalar: (_key, { value, range }) => {
        if (typeof value !== 'string') return;
        const [stub, claimed] = [STUB.exec(value), CLAIMED.exec(value)];
        if (stub) this.#add('stub', range?.[0] ?? 0, `"${stub[0]}" stands where something is still to be written`);
        if (claimed)
          this.#add('claim-word', range?.[0] ?? 0, `"${claimed[0]}" is not ours to say; say what is supported`);
      },
    });
  }

  #add(rule: string, offset: number, message: string): void {
    this.#faults.push({ file: this.path, line: this.#lineAt(offset), rule, message });
  }

  #lineAt(offset: number): number {
    return Math.max(1, this.#lines.linePos(offset).line);
  }

  /** Offset of the value at `place`, or of the nearest one around it that exists. */
  #offsetOf(place: string): number {
    const steps = [...place.matchAll(/[^.[\]]+/g)].map(([step]) => (/^\d+$/.test(step) ? Number(step) : step));
    for (let length = steps.length; length > 0; length--) {
      const node = this.#document.getIn(steps.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  }
}
