/** Who may know whom: each folder names only what stands below it. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t from 'tap';
import { importsOf } from '../fixtures/source.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Sources by path from the project's folder. */
type Sources = Readonly<Record<string, string>>;

interface Rule {
  /** Paths it is about. */
  readonly of: RegExp;
  /** Project files that these may import. */
  readonly files: RegExp;
  /** Packages and Node modules that these may import. */
  readonly packages: RegExp;
}

/** The first rule whose `of` matches counts; a file without a rule is a violation itself. */
const RULES: readonly Rule[] = [
  {
    of: /^protocol\//,
    files: /^protocol\//,
    packages: /^(node:crypto|node:zlib|@noble\/.+|@scure\/base|canonicalize)$/,
  },
  { of: /^relay\//, files: /^(relay|protocol)\//, packages: /./ },
  { of: /^tools\/ghostpipe\//, files: /^(protocol\/|tools\/|(relay|appliance)\/main\.ts$)/, packages: /./ },
  { of: /^tools\/lib\//, files: /^(protocol|tools\/lib)\//, packages: /./ },
  { of: /^tools\/[^/]+\//, files: /^(protocol|tools\/lib|tools\/<own>)\//, packages: /./ },
  { of: /^appliance\//, files: /^(protocol|tools\/lib|appliance)\//, packages: /./ },
  { of: /^bench\//, files: /^(protocol|relay|tools|bench)\//, packages: /./ },
  {
    of: /^image-build\//,
    files: /^(protocol\/|tools\/(lib\/|ghostpipe\/main\.ts$)|appliance\/|image-build\/)/,
    packages: /./,
  },
  { of: /^bin\//, files: /^bin\//, packages: /^node:/ },
  { of: /^test\//, files: /./, packages: /./ },
];

/** One sentence for each import that its rule does not allow. */
function importViolations(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, source]) => {
    const rule = RULES.find(({ of }) => of.test(path));
    if (!rule) return [`${path}: no rule says what this folder may import`];
    const refused = importsOf(source).filter((name) => !allows(rule, path, name));
    return refused.map((name) => `${path} may not import ${name}`);
  });
}

function allows(rule: Rule, path: string, name: string): boolean {
  if (name === '<computed>') return path.startsWith('test/');
  if (!name.startsWith('.')) return rule.packages.test(name);
  const target = normalize(join(dirname(path), name));
  return sameTool(path, target) || rule.files.test(target);
}

function sameTool(path: string, target: string): boolean {
  const [folder, tool] = path.split('/');
  return folder === 'tools' && target.startsWith(`tools/${tool}/`);
}

t.test('every import of the project follows its rule', async (t) => {
  const sources: Record<string, string> = {};
  for (const path of globSync('{protocol,relay,tools,appliance,bench,image-build,bin,test}/**/*.{ts,mjs}', {
    cwd: ROOT,
  })) {
    sources[path] = readFileSync(join(ROOT, path), 'utf8');
  }
  t.ok(Object.keys(sources).length > 30, 'the sources were found');
  t.same(importViolations(sources), []);
});

t.test('a forbidden import is found, however it is written', async (t) => {
  const forbidden: Sources[] = [
    { 'protocol/a.ts': "import { readFileSync } from 'node:fs';" },
    { 'protocol/a.ts': "import type { Socket } from 'node:net';" },
    { 'protocol/a.ts': "import 'node:http';" },
    { 'protocol/a.ts': "export * from '../relay/main.ts';" },
    { 'protocol/engine/a.ts': "const fs = await import('node:fs');" },
    { 'protocol/a.ts': "const fs = process.getBuiltinModule('node:fs');" },
    { 'protocol/a.ts': 'const fs = await import(name);' },
    { 'protocol/a.ts': "let socket: import('node:net').Socket;" },
    { 'relay/main.ts': "import { main } from '../tools/sender/main.ts';" },
    { 'relay/routes/a.ts': "import {\n  PinnedAgent,\n  type Pin,\n} from '../../tools/lib/pinned-tls.ts';" },
    { 'tools/sender/main.ts': "import { Slab } from '../../relay/store/slab.ts';" },
    { 'tools/sender/main.ts': "import { Sink } from '../receiver/sink.ts';" },
    { 'appliance/ready.ts': "import { startRelay } from '../relay/service.ts';" },
    { 'tools/lib/a.ts': "import { main } from '../sender/main.ts';" },
    { 'tools/ghostpipe/demo.ts': "import { Slab } from '../../relay/store/slab.ts';" },
    { 'tools/ghostpipe/demo.ts': "import { makeSite } from '../../test/fixtures/site.ts';" },
    { 'relay/main.ts': "const worker = new Worker(new URL('../tools/lib/client.ts', import.meta.url));" },
    { 'bench/a.ts': "import { makeSite } from '../test/fixtures/site.ts';" },
    { 'bin/a.mjs': "import yaml from 'yaml';" },
    { 'somewhere/a.ts': '' },
  ];
  for (const sources of forbidden) t.equal(importViolations(sources).length, 1, JSON.stringify(sources));
});

t.test('what is allowed, or only looks like an import, passes', async (t) => {
  const allowed: Sources = {
    'protocol/a.ts':
      "import { x } from './b.ts'; // import 'node:fs'\n/* import 'node:net' */ import { y } from 'node:zlib';",
    'relay/a.ts': "import Fastify from 'fastify'; import { x } from '../protocol/a.ts';",
    'tools/sender/main.ts': "import { x } from './queue.ts'; import { y } from '../lib/client.ts';",
    'tools/ghostpipe/main.ts':
      "const relay = () => import('../../relay/main.ts'); const x = () => import('../sender/main.ts');",
    'test/e2e/a.ts': "await import(name); import t from 'tap'; import { x } from '../../relay/store/slab.ts';",
  };
  t.same(importViolations(allowed), []);
});
