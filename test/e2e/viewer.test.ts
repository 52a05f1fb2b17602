/** The page of an export in a real browser: what it says of a good export, of damaged ones, and of what a stranger wrote. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { encodeBundle, parseBundle } from '../../protocol/tile.ts';
import { copyEpoch } from '../../tools/audit/epoch-folder.ts';
import { Sealer } from '../../tools/audit/unseal.ts';
import { writeViewer } from '../../tools/audit/viewer-file.ts';
import {
  changeFile,
  copyOf,
  type ExportPlan,
  type MadeExport,
  makeAuditExport,
  swapFiles,
  writeManifest,
} from '../fixtures/audit-export.ts';
import { openFile, startBrowser } from '../fixtures/browser.ts';

t.setTimeout(180_000);

/** An export with its page. */
function exportWithPage(folder: string, plan: ExportPlan): MadeExport {
  const made = makeAuditExport(folder, plan);
  writeViewer(
    folder,
    made.epochs.map((epoch) => (epoch.folder === folder ? '' : epoch.folder.slice(folder.length + 1))),
  );
  writeManifest(folder, made.epochs);
  return made;
}

/** Chooses a folder and waits for the verdict: its state, its line, the failures. */
async function verdictOf(page: Page, folder: string): Promise<{ state: string; line: string; failures: string[] }> {
  await page.locator('#verdict').evaluate((card) => {
    (card as unknown as { dataset: { state: string } }).dataset.state = 'working';
  });
  await page.locator('#folder').setInputFiles(folder);
  return settled(page);
}

async function settled(page: Page): Promise<{ state: string; line: string; failures: string[] }> {
  await page.locator('#verdict:not([data-state=working])').waitFor();
  const state = (await page.locator('#verdict').getAttribute('data-state'))!;
  const line = await page.locator('#verdict-line').innerText();
  return { state, line, failures: await page.locator('#failures > li').allInnerTexts() };
}

t.test('good and damaged exports', async (t) => {
  const work = t.testdir();
  const good = join(work, 'good');
  const { logPin, epochs } = exportWithPage(good, { records: [300, 20_700] });
  const browser = await startBrowser(t);
  const { page, requests, complaints } = await openFile(browser, join(good, 'index.html'));

  const carried = await settled(page);
  t.match(carried, { state: 'partial', line: 'Verified 20,444 of 21,000 log records', failures: [] });
  t.match(await page.locator('#verdict').innerText(), /were not read: choose its folder/);
  t.match(await page.locator('#verdict-key').innerText(), new RegExp(`^Under the key ${RegExp.escape(logPin)}$`));
  t.equal(await page.locator('[data-state=good]').count(), 0, 'nothing is green that was not read');

  t.match(await verdictOf(page, good), { state: 'good', line: 'Verified 21,000 of 21,000 log records', failures: [] });
  t.equal(await page.locator('#chain > li[data-state=good]').count(), 2);
  t.match(await page.locator('#chain > li').nth(1).innerText(), /the epoch above, which ended with 300 leaves/);

  t.equal(await page.locator('#key').getAttribute('data-state'), 'partial', 'the key is another question');
  for (const [pin, state] of [
    [`sha256/${'A'.repeat(43)}`, 'bad'],
    ['sha256/short', 'partial'],
    [logPin, 'good'],
  ] as const) {
    await page.fill('#pin', pin);
    await page.press('#pin', 'Enter');
    t.equal(await page.locator('#key').getAttribute('data-state'), state, pin);
    const verdict = await page.locator('#verdict').getAttribute('data-state');
    t.equal(verdict, state === 'bad' ? 'bad' : 'good', 'nothing is verified that another key signed');
  }

  const damaged: readonly (readonly [string, (folder: string) => void, RegExp, (RegExp | undefined)?])[] = [
    [
      'an edited record',
      (folder) =>
        changeFile(join(folder, 'tile/entries/002'), (bytes) => {
          const entries = parseBundle(bytes, 256);
          const text = Buffer.from(entries[7]!).toString().replace('success', 'failure');
          return encodeBundle(entries.with(7, Buffer.from(text)));
        }),
      /^tile\/entries\/002, leaf 519\n.*its leaf hash is/,
    ],
    ['a missing tile', (folder) => rmSync(join(folder, 'tile/0/003')), /^tile\/0\/003\n.*the tile is not there/],
    [
      'swapped tiles',
      (folder) => swapFiles(join(folder, 'tile/0/004'), join(folder, 'tile/0/005')),
      /^tile\/0\/004, leaf 1,024\n/,
    ],
    [
      'a forged head',
      (folder) => changeFile(join(folder, 'checkpoint'), (bytes) => bytes.toString().replace('\n20700\n', '\n20699\n')),
      /^checkpoint\n.*\[signature-invalid\]/,
    ],
    [
      'a head without its post-quantum line',
      (folder) =>
        changeFile(join(folder, 'checkpoints/20700'), (bytes) => {
          const [lines, signatures] = bytes.toString().split('\n\n') as [string, string];
          return `${lines}\n\n${signatures.split('\n').slice(1).join('\n')}`;
        }),
      /^checkpoints\/20700\n.*no ml-dsa-65 line/,
    ],
  ];
  for (const [what, damage, place] of damaged) {
    const folder = copyOf(good, join(work, 'damaged'));
    damage(folder);
    const { state, line, failures } = await verdictOf(page, folder);
    t.match({ state, line }, { state: 'bad', line: /^Not verified: \d+ failures in this folder$/ }, what);
    t.match(failures[0], place, what);
    t.equal(await page.locator('#chain > li[data-state=bad]').count(), 1, `${what}: in one epoch`);
    rmSync(folder, { recursive: true });
  }
  t.match(await verdictOf(page, join(good, 'tile')), { state: 'bad', line: 'Not verified' }, 'no export');
  t.equal(await page.locator('#chain > li').count(), 0, 'nothing is left of the folder before');
  t.match(await verdictOf(page, epochs[0]!.folder), { state: 'good', line: 'Verified 300 of 300 log records' });

  t.same(complaints, []);
  t.same(
    requests.filter((address) => !address.startsWith('blob:null/')),
    [`file://${join(good, 'index.html')}`],
    'it asks for nothing',
  );
});

/** Drops a folder on the page as the browser does for a hand: real files, and the page's own way to read them. */
async function drop(page: Page, folder: string): Promise<void> {
  await page.locator('#verdict').evaluate((card) => {
    (card as unknown as { dataset: { state: string } }).dataset.state = 'working';
  });
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [folder], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 600, y: 300, data });
  }
}

t.test('a folder that is dropped, an epoch of many heads, and sealed records', async (t) => {
  const work = t.testdir();
  const [good, sealed] = [join(work, 'good'), join(work, 'sealed')];
  const { epochs } = exportWithPage(good, { records: [40, 700], heads: (_, records) => range(1, records, 3) });
  const browser = await startBrowser(t);
  const { page, complaints } = await openFile(browser, join(good, 'index.html'));
  t.match(await settled(page), { state: 'partial', failures: [] });
  await drop(page, good);
  t.match(await settled(page), { state: 'good', line: 'Verified 740 of 740 log records', failures: [] });
  const newest = page.locator('#chain > li').nth(1);
  t.equal(await newest.locator('.heads tbody tr').count(), epochs[1]!.heads.length, 'every head is listed');

  cpSync(good, sealed, { recursive: true });
  const sealer = new Sealer(engine, engine.kemKey(new Uint8Array(32)).publicKey);
  copyEpoch(good, join(work, 'epoch'), sealer);
  rmSync(join(sealed, 'tile'), { recursive: true });
  rmSync(join(sealed, 'proofs'), { recursive: true });
  cpSync(join(work, 'epoch'), sealed, { recursive: true });
  writeManifest(sealed, [
    { ...epochs[0]!, folder: join(sealed, 'earlier', epochs[0]!.id) },
    { ...epochs[1]!, folder: sealed },
  ]);
  await drop(page, sealed);
  const { state, line } = await settled(page);
  t.match(
    { state, line },
    { state: 'partial', line: 'Verified 40 of 740 log records' },
    'never green for what is sealed',
  );
  t.match(await page.locator('#verdict').innerText(), /The rest is sealed/);
  await drop(page, join(good, 'manifest.json'));
  t.match(await settled(page), { state: 'bad' });
  t.same(complaints, []);
});

function range(from: number, to: number, step: number): number[] {
  return [...Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step), to];
}

t.test('a copy that unpacks to more than a page can carry is refused', async (t) => {
  const folder = join(t.testdir(), 'audit');
  exportWithPage(folder, { records: [20] });
  const page = join(folder, 'index.html');
  const bomb = gzipSync(Buffer.alloc(2 ** 28 + 1)).toString('base64');
  changeFile(page, (html) => html.toString().replace(/(id="carried">)[^<]*/, `$1${bomb}`));
  const browser = await startBrowser(t);
  const opened = await openFile(browser, page);
  t.match(await settled(opened.page), { state: 'bad', line: 'Not verified' });
  t.match(
    await opened.page.locator('#verdict').innerText(),
    /the copy in this page is damaged: it is packed from more than/,
  );
});

t.test('looked at by keys, in the dark, and on paper', async (t) => {
  const folder = join(t.testdir(), 'audit');
  exportWithPage(folder, { records: [700] });
  const browser = await startBrowser(t);
  const { page, complaints } = await openFile(browser, join(folder, 'index.html'));
  t.match(
    await settled(page),
    { state: 'partial', line: 'Verified 700 of 700 log records' },
    'not green: no file was read',
  );
  t.equal(await page.evaluate('fetch("http://127.0.0.1:9/").then(() => "sent", () => "refused")'), 'refused');
  t.match(complaints, [/Content Security Policy/, /.*/]);

  await page.keyboard.press('/');
  await page.keyboard.type('TRANSFER.delivered');
  await page.keyboard.press('Enter');
  await page.locator('#rows tr').first().getByText('transfer.delivered').waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.locator('#record').waitFor();
  t.match(
    await page.locator('#record').innerText(),
    /^Close\nLeaf 695 of relay-1.*✓ Verified: it is under the head of 700 leaves/s,
  );
  t.equal(await page.locator('#record svg rect').count(), 1 + 2 * 8, 'the way has eight steps');
  await page.keyboard.press('Escape');
  t.equal(await page.locator('#record').isVisible(), false);
  t.equal(await page.evaluate('document.activeElement.textContent'), '695', 'back where it was');

  await page.locator('#query button[type=reset]').click();
  await page.locator('#timeline .bar').first().click();
  await page.locator('#count').getByText('no more').waitFor();
  t.ok((await page.locator('#rows tr').count()) < 100, 'one bar');

  const back = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const light = await back();
  await page.emulateMedia({ colorScheme: 'dark' });
  t.not(await back(), light);
  await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
  t.equal(await back(), 'rgb(255, 255, 255)', 'paper is white');
  t.equal(await page.locator('#query').isVisible(), false);
  t.ok((await page.pdf()).length > 10_000);
});

t.test('what a stranger wrote is text', async (t) => {
  const folder = join(t.testdir(), 'audit');
  const hostile = (text: string) => (bytes: Uint8Array) =>
    Buffer.from(Buffer.from(bytes).toString().replace('success', text));
  const texts: Readonly<Record<number, (bytes: Uint8Array) => Uint8Array>> = {
    295: () => Buffer.from('<img src=x onerror=alert(1)><script>alert(2)</script>'),
    296: hostile('\u202egnp.exe\u2066'),
    297: () => Buffer.from('x'.repeat(65_000)),
    298: () => Buffer.from([0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x0a, 0x00]),
  };
  exportWithPage(folder, { records: [300], record: (_, i, bytes) => texts[i]?.(bytes) ?? bytes });
  const browser = await startBrowser(t);
  const { page, complaints, requests } = await openFile(browser, join(folder, 'index.html'));
  await settled(page);
  const { state, line, failures } = await verdictOf(page, folder);
  t.match({ state, line }, { state: 'bad', line: /^Not verified/ });
  t.match(failures[0], /^tile\/entries\/001\.p\/44, leaf 295\n.*3 more log records/);
  await page.check('#broken');
  await page.locator('#query button').first().click();
  await page.locator('#count').getByText('4 records, no more.').waitFor();
  const rows = await page.locator('#rows tr').allInnerTexts();
  t.match(rows, [
    /298.*\\u\{1b\}\[2J\\u\{fffd\}\\u\{a\}\\u\{0\}/,
    /297.*x{200}/,
    /296.*\\u\{202e\}gnp\.exe\\u\{2066\}/,
    /295.*<img src=x/,
  ]);
  t.notMatch(await page.locator('body').innerText(), /[\u202a-\u202e\u2066-\u2069]/, 'no text runs backwards');
  t.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= 1200, 'nothing is pushed aside');

  await page.locator('#rows button').nth(1).click();
  const leaf = page.locator('#record pre');
  t.ok((await leaf.innerText()).length < 1400, 'a huge record is cut');
  await leaf.getByText('show all 65,000 characters').click();
  t.ok((await leaf.innerText()).length >= 65_000);
  t.same(complaints, [], 'nothing ran');
  t.equal(
    requests.some((address) => address.endsWith('/x')),
    false,
  );
});
