/** The page of exports is built from its sources as they are, which have types of their own, and reaches no network. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { buildViewer, VIEWER_PAGE } from './make-viewer.ts';

const ROOT = join(import.meta.dirname, '..', '..');

t.test('the page is what its sources give', async (t) => {
  t.ok(readFileSync(VIEWER_PAGE, 'utf8') === buildViewer(), 'run node test/structure/make-viewer.ts');
});

t.test('its policy lets one program and one style run, and nothing be asked for', async (t) => {
  const page = readFileSync(VIEWER_PAGE, 'utf8');
  t.match(
    page,
    /content="default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; worker-src blob:; base-uri 'none'; form-action 'none'"/,
  );
  t.notMatch(
    page,
    /innerHTML|insertAdjacentHTML|outerHTML|document\.write|\beval\b|XMLHttpRequest|WebSocket|\bfetch\(/,
  );
  t.equal(page.match(/<script/g)!.length, 2);
});

t.test('the types of the side that a browser runs', async (t) => {
  const program = join(ROOT, 'node_modules', '.bin', 'tsc');
  const { status, stdout, stderr } = spawnSync(program, ['-p', 'tools/audit/viewer/browser'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  t.equal(status, 0, stdout + stderr);
});
