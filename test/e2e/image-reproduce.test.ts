/** Two builds compared: what is the same, what differs and where, and as whom the second one runs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Bundle, writeBundle } from '../../image-build/bundle.ts';
import { compareImages } from '../../image-build/compare-images.ts';
import { diskParts } from '../../image-build/disk-parts.ts';
import { ImageFile } from '../../image-build/image-file.ts';
import { AS_NOBODY, reproduce } from '../../image-build/reproduce.ts';
import { main as reproduceCommand } from '../../image-build/reproduce-command.ts';
import { makeSmallImage, type SmallImage } from '../fixtures/built-image.ts';
import { captured } from '../fixtures/command.ts';

t.setTimeout(120_000);

/** A build that takes a ready image: another one for the second build, when there is one. Says who ran it. */
const BUILDER = `
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
const [folder, , out] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const isSecond = process.env.XDG_CACHE_HOME !== undefined;
const other = folder + '/other.img';
const file = out + '/a.img';
copyFileSync(isSecond && existsSync(other) ? other : folder + '/one.img', file);
const caps = /^CapEff:\\s*(\\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
const cache = isSecond ? readFileSync(process.env.XDG_CACHE_HOME + '/ghostpipe/image/debs/a.deb', 'utf8') : '';
if (existsSync(folder + '/broken')) process.exit(7);
const who = process.getuid() + ' ' + caps + ' ' + cache; // in place of a hash
console.log(JSON.stringify({ ok: true, image: { file, sha256: who } }));
`;

let folder: string;
let bundle: Bundle;
let one: SmallImage;

t.before(async () => {
  // Where a user without rights can read it.
  folder = mkdtempSync(join(tmpdir(), 'ghostpipe-test-reproduce-'));
  chmodSync(folder, 0o755);
  bundle = await writeBundle(join(folder, 'bundle'));
  one = makeSmallImage(join(folder, 'one'), bundle);
});
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of the image with `change` done to its bytes. */
function changed(change: (disk: Buffer) => unknown): string {
  const disk = readFileSync(one.path);
  change(disk);
  const path = join(folder, 'changed.img');
  writeFileSync(path, disk);
  return path;
}

t.test('the same bytes are the same; the first part that differs is named', async (t) => {
  t.equal(compareImages(one.path, one.path), null);
  const image = new ImageFile(one.path);
  t.teardown(() => image.close());
  for (const { name, offset, bytes } of diskParts(image)) {
    if (name === 'table') continue;
    const at = name === 'root' ? bytes - 8 : 5; // the last bytes of the tree of hashes
    const other = changed((disk) => {
      disk[offset + at]! ^= 1;
    });
    t.match(compareImages(one.path, other), { part: name, file: null, detail: `differs from its byte ${at} on` });
  }
  const longer = join(folder, 'longer.img');
  writeFileSync(longer, Buffer.concat([readFileSync(one.path), Buffer.alloc(512)]));
  t.match(compareImages(one.path, longer), { part: 'rest', detail: /have \d+ and \d+ bytes/ });
  t.match(compareImages(longer, one.path), { part: 'rest-4', detail: /512 bytes at \d+ in the first image, nothing/ });
});

t.test('the first file of the root that differs is named', async (t) => {
  const script = join(bundle.folder, 'package.json');
  const before = readFileSync(script);
  writeFileSync(script, '{"other":true}');
  const other = makeSmallImage(join(folder, 'other'), bundle);
  writeFileSync(script, before);
  t.match(compareImages(one.path, other.path), { part: 'root', file: '/usr/lib/ghostpipe/package.json' });
  writeFileSync(join(bundle.folder, 'zz'), '');
  const more = makeSmallImage(join(folder, 'more'), bundle);
  rmSync(join(bundle.folder, 'zz'));
  t.match(compareImages(one.path, more.path), { file: '/usr/lib/ghostpipe/zz', detail: /in the second image only/ });
  t.match(compareImages(more.path, one.path), { file: '/usr/lib/ghostpipe/zz', detail: /not there in the second/ });
});

t.test('two builds: the second without rights, in folders of its own, with what was fetched', async (t) => {
  const place = join(folder, 'build');
  mkdirSync(join(place, 'cache', 'debs'), { recursive: true });
  writeFileSync(join(place, 'cache', 'debs', 'a.deb'), 'fetched');
  writeFileSync(join(place, 'builder.mjs'), BUILDER);
  writeFileSync(join(place, 'one.img'), readFileSync(one.path));
  const canDrop = spawnSync(AS_NOBODY[0]!, [...AS_NOBODY.slice(1), process.execPath, '--version']).status === 0;
  const before = readdirSync(tmpdir());
  const plan = {
    builder: [process.execPath, join(place, 'builder.mjs'), place],
    cache: join(place, 'cache'),
    fetched: ['debs'],
    asOther: canDrop ? AS_NOBODY : [],
  };
  const said: string[] = [];
  const run = () => reproduce({ ...plan, say: (line) => void said.push(line) });
  const { sha256, difference } = run();
  t.equal(difference, null);
  if (canDrop) {
    t.match(sha256, [/^0 (?!0+ )/, '65534 0000000000000000 fetched'], 'the first as root, the second without rights');
    t.same(said, ['first build', 'second build, as a user without rights']);
  } else t.match(sha256[1], / fetched$/);

  writeFileSync(join(place, 'other.img'), readFileSync(changed((disk) => disk.fill(1, 4096, 4100))));
  t.match(run().difference, { part: 'boot', file: null });
  writeFileSync(join(place, 'broken'), '');
  t.throws(run, { code: 'image-build-failed', detail: /the build ended with exit code 7/ });
  t.throws(() => reproduce({ ...plan, builder: ['no-such-program'], say: () => {} }), { code: 'tool-missing' });
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith('ghostpipe-reproduce-'));
  t.same(
    left.filter((name) => !before.includes(name)),
    [],
    'nothing is left',
  );
});

t.test('the command says what it needs', async (t) => {
  t.match(await captured(t, () => reproduceCommand([])), { code: 2, err: /--board is missing/ });
  t.match(await captured(t, () => reproduceCommand(['--help'])), { code: 0, out: /compare every byte/ });
});
