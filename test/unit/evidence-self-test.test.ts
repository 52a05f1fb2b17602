/** The self-test of the evidence: what it counts, says, and refuses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CHECKS } from '../../tools/evidence/checks/registry.ts';
import { PROJECT } from '../../tools/evidence/context.ts';
import type { Sabotage } from '../../tools/evidence/scene/scene.ts';
import { selfTestCommand, summaryOf } from '../../tools/evidence/self-test-command.ts';
import { captured } from '../fixtures/command.ts';

t.setTimeout(180_000);

t.test('a check of files and its sabotages, in both forms', async (t) => {
  const words = ['--check', 'lock-pins', '--scenes', '1'];
  t.match(await captured(t, () => selfTestCommand(words)), { code: 0, out: /^1 checks, 2 sabotages, 2 caught/ });
  t.match(await captured(t, () => selfTestCommand([...words, '--json'])), { code: 0, out: /"notTried":0/ });
  t.match(await captured(t, () => selfTestCommand(['--check', 'nothing'])), { code: 2, err: /"nothing" is no check/ });
  t.match(await captured(t, () => selfTestCommand(['--scenes', '99'])), { code: 2, err: /--scenes/ });
});

t.test('what a sabotage changes stands in the source', async (t) => {
  for (const { id, sabotages } of CHECKS) {
    for (const [name, sabotage] of Object.entries(sabotages)) {
      const { mutations = [] } = sabotage as Sabotage;
      for (const { file, find } of mutations) {
        t.ok(readFileSync(join(PROJECT, file), 'utf8').includes(find), `${id} ${name}: ${file}`);
      }
    }
  }
});

t.test('nothing counts as nothing', async (t) => {
  t.match(summaryOf([]), { checks: 0, sabotages: 0, caught: 0, notTried: 0 });
});
