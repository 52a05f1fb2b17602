/** The page of the zones shows the plan, the controls and the boards that the source has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { escapeMarkup } from '../../tools/lib/markup.ts';
import { BOARD_NAMES, BOARDS } from '../../tools/provision/plan/boards.ts';
import { planSvg } from '../../tools/provision/plan/svg.ts';
import { planText } from '../../tools/provision/plan/text.ts';
import { planOfPage, ZONES_PICTURE } from './make-zones.ts';

const page = read('docs', 'zones.md');

function read(...names: string[]): string {
  return readFileSync(join(import.meta.dirname, '..', '..', ...names), 'utf8');
}

/** Rows of a page's table of controls. */
function controlRows(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('| `') && / SR [^|]+ \|$/.test(line));
}

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
  t.same(controlRows(page), expected);
});

t.test('text and picture of a plan name what each control serves, whole', async (t) => {
  const plan = planOfPage();
  const [text, svg] = [planText(plan), planSvg(plan)];
  for (const { id, what, serves } of plan.controls) {
    t.ok(
      text.split('\n').some((line) => [id, serves.join(', '), what].every((words) => line.includes(words))),
      `${id} in the text`,
    );
    t.ok(svg.includes(`>${escapeMarkup(`${id}: ${serves.join(', ')}`)}<`), `${id} in the picture`);
    t.ok(svg.includes(`>${escapeMarkup(what)}`), `what ${id} is, in the picture`);
  }
});

t.test(
  'every requirement that controls of zones and traffic serve is in the catalogue, FR 4 and FR 5 among them',
  async (t) => {
    const known = new Set(
      [...read('policy', 'iec62443', 'catalog', '3-3.yaml').matchAll(/id: (SR [^,]+),/g)].map(([, id]) => id!),
    );
    for (const name of ['zones.md', 'traffic.md']) {
      const served = controlRows(read('docs', name)).flatMap((row) =>
        row.split(' | ').at(-1)!.replace(' |', '').split(', '),
      );
      t.ok(served.length > 5, name);
      t.same(
        served.filter((id) => !known.has(id)),
        [],
        name,
      );
      for (const fr of ['SR 4.', 'SR 5.'])
        t.ok(
          served.some((id) => id.startsWith(fr)),
          `${name} ${fr}`,
        );
    }
  },
);

t.test('the page has a row for each board, with its limits', async (t) => {
  for (const name of BOARD_NAMES) {
    const { nicMbit, blockMiB, blockMBs } = BOARDS[name];
    const row = rows().find((line) => line.startsWith(`| \`${name}\``)) ?? '';
    for (const limit of [`${nicMbit} Mbit/s`, `${blockMiB.toLocaleString('en')} MiB`, `${blockMBs} MB/s`]) {
      t.ok(row.includes(limit), `${name}: ${limit}`);
    }
  }
});
