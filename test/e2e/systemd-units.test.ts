/** The unit examples: systemd finds nothing wrong with them, and they say what the programs need. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const ROOT = join(import.meta.dirname, '..', '..');
const UNITS = join(ROOT, 'docs', 'systemd');

t.test('systemd-analyze finds nothing to say of the unit examples', async (t) => {
  const folder = t.testdir();
  const names = readdirSync(UNITS);
  t.strictSame(names.sort(), ['paramant-receiver@.service', 'paramant-sender@.service']);
  for (const name of names) {
    const unit = readFileSync(join(UNITS, name), 'utf8');
    t.match(unit, /^Type=notify$/m);
    t.match(unit, /^NotifyAccess=all$/m, 'a child of the program sends the messages');
    const path = join(folder, name.replace('@', '@device'));
    writeFileSync(path, unit.replaceAll('/opt/ghostpipe/', `${ROOT}/`));
    const { stdout, stderr } = await promisify(execFile)('systemd-analyze', ['verify', path]);
    t.equal(stdout + stderr, '', name);
  }
});
