/** The pages that describe formats say what the source says. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CALLS, DEFAULT_LISTENER, parseRelayConfig } from '../../protocol/config.ts';
import { encodeControl, TRANSFER_STATES } from '../../protocol/control.ts';
import { FRAME_TYPES, TIME_QUALITIES } from '../../protocol/frame.ts';
import { ACTIONS, AUDIT_MODES, CATEGORIES } from '../../protocol/log-action.ts';
import { SOURCE_STATES } from '../../protocol/payload.ts';
import { PROBLEMS } from '../../protocol/problem.ts';
import { REJECT_CODES } from '../../protocol/reject.ts';
import { PROBLEMS_FILE, problemsPage } from './make-problems.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LABEL = /ghostpipe\/[a-z0-9-]+\/v[0-9]+/g;
const formats = readFileSync(join(ROOT, 'docs', 'formats.md'), 'utf8');

/** The cells of each table row in which the first cell matches. */
function rows(first: RegExp): string[][] {
  const cells = formats
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return cells.filter(([cell]) => first.test(cell!));
}

/** `0 none, 1 build, ...` as the page writes the names of small numbers. */
function numbered(names: readonly string[]): string {
  return names.map((name, number) => `${number} ${name}`).join(', ');
}

t.test('the label table holds every domain label of the source, once, and no other', async (t) => {
  const source = globSync('{protocol,relay,tools}/**/*.ts', { cwd: ROOT }).flatMap(
    (path) => readFileSync(join(ROOT, path), 'utf8').match(LABEL) ?? [],
  );
  const table = rows(/^`ghostpipe\//).map(([cell]) => cell!.replaceAll('`', ''));
  t.ok(table.includes('ghostpipe/block/v1') && table.includes('ghostpipe/seed-tls/v1'), 'the table was found');
  t.same(table.toSorted(), [...new Set(source)].sort());
  t.same([...new Set(formats.match(LABEL))].sort(), table.toSorted(), 'the rest of the page uses these only');
});

t.test('problems.md is what the catalogue says', async (t) => {
  t.equal(readFileSync(PROBLEMS_FILE, 'utf8'), problemsPage(), 'run node test/structure/make-problems.ts');
});

t.test('names and numbers on the wire', async (t) => {
  const named = rows(/^\d+$/).map(([number, name]) => `${number} ${name}`);
  for (const [number, code] of REJECT_CODES.entries()) t.ok(named.includes(`${number} ${code}`), code);
  for (const [number, type] of FRAME_TYPES.entries()) t.ok(named.includes(`${number} ${type}`), type);
  for (const names of [TRANSFER_STATES, TIME_QUALITIES, SOURCE_STATES, AUDIT_MODES]) {
    t.ok(formats.includes(numbered(names)), numbered(names));
  }
  const cover = encodeControl([{ type: 'cover' }])[4];
  t.ok(named.includes(`${cover} cover`), 'items of the control frame');
});

t.test('every code that stands with "refuse" is in the catalogue', async (t) => {
  const steps = rows(/^\d+$/).filter((cells) => cells.length === 3 && cells[2]!.startsWith('`'));
  const codes = steps.flatMap(([, , cell]) => cell!.match(/[a-z]+(-[a-z]+)+/g) ?? []);
  const inText = [...formats.matchAll(/\(`([a-z]+(?:-[a-z]+)+)`\)/g)].map(([, code]) => code!);
  t.ok(codes.length > 10 && inText.length > 10, 'they were found');
  t.same(
    [...codes, ...inText].filter((code) => !Object.hasOwn(PROBLEMS, code)),
    [],
  );
});

t.test('every call has its row', async (t) => {
  t.equal(rows(/^`(GET|POST|DELETE) \//).length, CALLS.length);
});

t.test('every action of the audit log has its row, in order', async (t) => {
  const table = rows(/^\d+$/).filter(([, category]) => (CATEGORIES as readonly string[]).includes(category!));
  t.same(
    table.map((cells) => cells.slice(0, 5)),
    Object.entries(ACTIONS).map(([action, { event, category, sources, results }]) => [
      String(event),
      category,
      `\`${action}\``,
      sources.join(', '),
      results.join(', '),
    ]),
  );
});

t.test('operating.md names every limit of the relay', async (t) => {
  const [, section] = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8').split('\n## Limits\n');
  const { limits } = parseRelayConfig({ listeners: [DEFAULT_LISTENER] });
  for (const name of Object.keys(limits)) t.match(section, new RegExp(`^\\| \`${name}\\b`, 'm'), name);
  for (const name of ['connections', 'connectionsPerPeer', 'failuresPerMinute'] as const) {
    t.match(section, new RegExp(`^\\| \`${name}\`.* \\| ${limits[name]} \\|`, 'm'), `the default of ${name}`);
  }
});
