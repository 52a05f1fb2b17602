/** The checks of the log on an export: they pass on a true one, and catch what was done to the files of another. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { LogCheck } from '../../tools/evidence/check.ts';
import { LOG_CHECKS } from '../../tools/evidence/checks/log.ts';
import { type Observation, resultOf } from '../../tools/evidence/record.ts';
import { readLogExport } from '../../tools/evidence/scene/log-export.ts';
import { changeFile, copyOf, makeAuditExport } from '../fixtures/audit-export.ts';

t.setTimeout(60_000);

const FOLDER = t.testdir();
const TRUE = join(FOLDER, 'export');
const MADE = makeAuditExport(TRUE, { records: [20, 700], heads: (_, records) => [1, 300, 600, records] });
const CHECKS = LOG_CHECKS.filter(({ readsExport }) => readsExport);

/** What each check says of the export in a folder. */
function looked(folder: string, logPin = MADE.logPin): Record<string, string> {
  const copy = readLogExport(engine, folder, logPin);
  const look = (check: LogCheck): string => {
    const observed: Observation[] = [];
    check.look({ copy, transferId: '', secrets: {} }, (name, value, limit, rule = 'is', unit = '') => {
      observed.push({ name, value, limit, rule, unit });
    });
    return resultOf(observed);
  };
  return Object.fromEntries(CHECKS.map((check) => [check.id, look(check)]));
}

const CLEAN = { 'log-verifies': 'pass', 'log-rhythm': 'pass' };

t.test('a true export passes, by its newest epoch', async (t) => {
  t.match(looked(TRUE), CLEAN);
  t.equal(readLogExport(engine, TRUE, MADE.logPin).records.length, 700);
});

t.test('what was done to an export is caught', async (t) => {
  const copy = (name: string) => copyOf(TRUE, join(FOLDER, name));
  const changed = copy('changed');
  changeFile(join(changed, 'tile/entries/000'), (bytes) => bytes.fill(bytes[9000]! ^ 1, 9000, 9001));
  t.equal(looked(changed)['log-verifies'], 'fail');
  const dropped = copy('dropped');
  rmSync(join(dropped, 'tile/entries/001'));
  t.equal(looked(dropped)['log-verifies'], 'fail');
  const gap = copy('gap');
  rmSync(join(gap, 'checkpoints/300'));
  t.match(looked(gap), { ...CLEAN, 'log-rhythm': 'fail' });
});

t.test('what is no export of this relay is refused', async (t) => {
  t.throws(() => looked(TRUE, `sha256/${'A'.repeat(43)}`), { code: 'log-epoch-invalid' });
  t.throws(() => looked(FOLDER), { code: 'log-missing' });
  const headless = copyOf(TRUE, join(FOLDER, 'headless'));
  rmSync(join(headless, 'checkpoints'), { recursive: true });
  t.throws(() => looked(headless), { code: 'log-missing' });
  const strange = copyOf(TRUE, join(FOLDER, 'strange'));
  writeFileSync(join(strange, 'checkpoints/07'), '');
  t.throws(() => looked(strange), { code: 'encoding-invalid' });
});
