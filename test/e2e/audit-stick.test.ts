/** `export --to DEVICE`: an image with a file system is mounted, written and unmounted; everything else is refused. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { onTarget } from '../../tools/audit/stick-target.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { serveAudit } from '../fixtures/audit-serving.ts';
import { type FileSystem, makeImage, whyNoImages } from '../fixtures/stick-image.ts';

t.setTimeout(60_000);

/** A file with a file system of so many MiB, not mounted; it goes with the test. */
function image(t: Test, kind: FileSystem | 'none', mib = 16): string {
  const path = join(t.testdirName, `${kind}-${mib}`);
  writeFileSync(path, '');
  truncateSync(path, mib * 2 ** 20);
  if (kind !== 'none') execFileSync(`mkfs.${kind}`, [path], { stdio: 'ignore' });
  return path;
}

/** What a promise is refused with. */
async function refusalOf(promise: Promise<unknown>): Promise<Problem> {
  return promise.then(
    () => new Problem('internal', 'accepted'),
    (thrown) => thrown as Problem,
  );
}

const mounts = () => readFileSync('/proc/self/mounts', 'utf8');

t.test('an image is mounted, and unmounted whatever happens', { skip: whyNoImages('ext4', tmpdir()) }, async (t) => {
  const { sequencer, pass } = startAudit();
  await pass(0);
  const folder = t.testdir();
  const { exportTo } = await serveAudit(t, folder, sequencer);
  for (const kind of ['ext4', 'vfat'] as const) {
    if (whyNoImages(kind, tmpdir())) continue;
    const stick = image(t, kind);
    const before = mounts();
    let at = '';
    for (const size of [300, 600]) {
      while (sequencer.epochs[0]!.heads.at(-1)!.size < size) {
        for (let i = 0; i < 299; i++) sequencer.record(ADOPTED);
        await pass(30_000);
      }
      const report = await onTarget(stick, (path) => {
        at = path;
        return exportTo(path);
      });
      t.ok(report.ok, `${kind}, ${size}`);
    }
    t.equal(mounts(), before, 'it is unmounted');
    t.equal(at.endsWith('/ghostpipe-audit'), true);
    const place = join(folder, `mounted-${kind}`);
    mkdirSync(place);
    execFileSync('mount', ['-o', 'loop,ro', stick, place]);
    try {
      t.ok(checkExport({ engine, folder: join(place, 'ghostpipe-audit'), logPin: LOG_PIN }).ok, 'what is on it holds');
    } finally {
      execFileSync('umount', [place]);
    }
  }
  const stick = image(t, 'ext4', 32);
  const before = mounts();
  await t.rejects(
    onTarget(stick, () => Promise.reject(new Problem('proof-invalid', 'x'))),
    { code: 'proof-invalid' },
  );
  t.equal(mounts(), before, 'unmounted after a failure too');
});

t.test(
  'refused, and named: what is no stick, full, or read-only',
  { skip: whyNoImages('ext4', tmpdir()) },
  async (t) => {
    const root = t.testdir();
    const { sequencer, pass } = startAudit();
    await pass(0);
    for (let i = 0; i < 4000; i++) sequencer.record(ADOPTED);
    await pass(30_000);
    const { exportTo } = await serveAudit(t, root, sequencer);
    const refused = async (path: string, detail: RegExp, what: string) => {
      const before = mounts();
      t.match(await refusalOf(onTarget(path, (folder) => exportTo(folder))), { code: 'target-unusable', detail }, what);
      t.equal(mounts(), before);
    };
    await refused(image(t, 'none'), /has no file system/, 'no file system');
    execFileSync('mkswap', [image(t, 'none', 17)], { stdio: 'ignore' });
    await refused(join(t.testdirName, 'none-17'), /has the file system swap/, 'another file system');
    const small = image(t, 'ext4', 1);
    await refused(small, /cannot be written \(ENOSPC\): what was written so far stays/, 'a full one');

    const loop = execFileSync('losetup', ['--show', '-f', image(t, 'ext4', 18)], { encoding: 'utf8' }).trim();
    t.teardown(() => execFileSync('losetup', ['-d', loop]));
    await refused(loop, /is not a removable device: neither/, 'a disk of the host');

    const mounted = makeImage(t, join(root, 'locked'), 'ext4', 16);
    mounted.remount('ro');
    try {
      await refused(join(mounted.folder, 'export'), /\(EROFS\): it is read-only/, 'a folder that is read-only');
    } finally {
      mounted.end();
    }
  },
);
