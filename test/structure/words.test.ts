/** Words that only some files may use: what is dangerous stands in one place. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { withoutComments, withoutCommentsAndStrings } from '../fixtures/source.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Sources by path from the project's folder. */
type Sources = Readonly<Record<string, string>>;

interface Rule {
  readonly why: string;
  readonly word: RegExp;
  /** Paths in which the word is looked for. */
  readonly where: RegExp;
  /** Paths that may use it all the same. */
  readonly except: readonly string[];
  /** Also look inside string literals. */
  readonly inStrings?: boolean;
}

const RULES: readonly Rule[] = [
  {
    why: 'only one file decides whom TLS trusts',
    // Put together, so that this file does not hold the word.
    word: new RegExp(`\\breject${'Unauthorized'}\\b`),
    where: /./,
    except: ['tools/lib/pinned-tls.ts'],
    inStrings: true,
  },
  {
    why: 'protocol has no clock, no chance, no process of its own',
    word: /\b(Date|Math\.random|performance|process|globalThis|fetch|set(Timeout|Interval|Immediate))\b/,
    where: /^protocol\//,
    except: [],
  },
  {
    why: 'randomness comes with the engine',
    word: /\b(random(Bytes|Fill|FillSync|Int|UUID)|getRandomValues|generateKeyPairSync|generateKeySync)\b/,
    where: /^protocol\//,
    except: ['protocol/engine/native.ts'],
  },
  {
    why: 'only the delivery states take and burn blocks',
    word: /\b(slab|store)\.(burn|take|pin)\b|\.burn\b/i,
    where: /^relay\//,
    except: ['relay/store/deliveries.ts'],
  },
  {
    why: 'only the stores allocate blocks',
    word: /\b(Buffer\.alloc\w*|new (Uint8Array|ArrayBuffer))\([^)]*block|\ballocUnsafeSlow\b/i,
    where: /^relay\//,
    except: ['relay/store/slab.ts'],
  },
];

/** One sentence for each use of a word where it may not stand. */
function wordViolations(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, source]) =>
    RULES.filter(({ where, except }) => where.test(path) && !except.includes(path)).flatMap(
      ({ word, why, inStrings }) => {
        const found = word.exec(inStrings ? withoutComments(source) : withoutCommentsAndStrings(source));
        return found ? [`${path}: ${found[0]} (${why})`] : [];
      },
    ),
  );
}

t.test('the project keeps the rules', async (t) => {
  const sources: Record<string, string> = {};
  for (const path of globSync('{protocol,relay,tools,appliance,bench,image-build,bin,test}/**/*.{ts,mjs}', {
    cwd: ROOT,
  })) {
    sources[path] = readFileSync(join(ROOT, path), 'utf8');
  }
  for (const path of RULES.flatMap(({ except }) => except)) t.ok(sources[path], `${path} exists`);
  t.same(wordViolations(sources), []);
});

t.test('a word in the wrong place is found', async (t) => {
  const option = `reject${'Unauthorized'}`;
  const forbidden: Sources[] = [
    { 'relay/service.ts': `const options = { ${option}: false };` },
    { 'test/e2e/a.test.ts': `const options = { '${option}': false };` },
    { 'protocol/block.ts': 'const now = Date.now();' },
    { 'protocol/block.ts': 'const coin = Math.random() < 0.5;' },
    { 'protocol/block.ts': 'if (process.env.X) return;' },
    { 'protocol/block.ts': 'const iv = randomBytes(12);' },
    { 'protocol/engine/portable.ts': 'const iv = crypto.getRandomValues(new Uint8Array(12));' },
    { 'relay/routes/inbound.ts': 'slab.burn(slot);' },
    { 'relay/service.ts': 'const slot = this.#slab.take();' },
    { 'relay/routes/inbound.ts': 'const bytes = Buffer.alloc(profile.blockSize);' },
    { 'relay/routes/inbound.ts': 'const bytes = new Uint8Array(blockBytes);' },
  ];
  for (const sources of forbidden) t.equal(wordViolations(sources).length, 1, JSON.stringify(sources));
});

t.test('a word in a comment, in its own place or as part of another is none', async (t) => {
  const allowed: Sources = {
    'tools/lib/pinned-tls.ts': `const options = { reject${'Unauthorized'}: false };`,
    'protocol/block.ts': "// The Date is an argument.\nconst label = 'process'; const dateText = processed;",
    'protocol/engine/native.ts': 'const iv = randomBytes(12);',
    'relay/store/deliveries.ts': 'this.#slab.burn(slot);',
    'relay/routes/claim.ts': 'const frame = Buffer.alloc(CONTROL_BYTES);',
  };
  t.same(wordViolations(allowed), []);
});
