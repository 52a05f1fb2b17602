/** The page of the zones shows the plan, the controls and the boards that the source has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BOARD_NAMES, BOARDS } from '../../tools/provision/plan/boards.ts';
import { planSvg } from '../../tools/provision/plan/svg.ts';
import { planOfPage, ZONES_PICTURE } from './make-zones.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'zones.md'), 'utf8');

/** Rows of the page's tables that begin with a name in code. */
function rows(): string[] {
  return page.split('\n').filter((line) => line.startsWith('| `'));
}

t.test('zones.svg is what the plan of the page draws', async (t) => {
  t.equal(readFileSync(ZONES_PICTURE, 'utf8'), planSvg(planOfPage()), 'run node test/structure/make-zones.ts');
});

t.test('the page has a row for each control, with what it serves', async (t) => {
  const expected = planOfPage().controls.map(
    ({ id, what, serves }) => `| \`${id}\` | ${what} | ${serves.join(', ')} |`,
  );
  t.ok(expected.length > 10, 'the controls were found');
  t.same(
    rows().filter((row) => / SR [^|]+ \|$/.test(row)),
    expected,
  );
});

t.test('the page has a row for each board, with its limits', async (t) => {
  for (const name of BOARD_NAMES) {
    const { nicMbit, blockMiB, blockMBs } = BOARDS[name];
    const row = rows().find((line) => line.startsWith(`| \`${name}\``)) ?? '';
    for (const limit of [`${nicMbit} Mbit/s`, `${blockMiB.toLocaleString('en')} MiB`, `${blockMBs} MB/s`]) {
      t.ok(row.includes(limit), `${name}: ${limit}`);
    }
  }
});
