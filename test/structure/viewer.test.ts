/** The page of exports is built from its sources as they are, and reaches no network. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { buildViewer, VIEWER_PAGE } from './make-viewer.ts';

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
