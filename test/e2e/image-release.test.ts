/** What is released with an image, and how one finds that an image is not the one that was released. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { type Bundle, writeBundle } from '../../image-build/bundle.ts';
import { main as keyCommand } from '../../image-build/key-command.ts';
import { formatManifest, type Manifest, parseManifest } from '../../image-build/manifest.ts';
import { releaseFiles, writeRelease } from '../../image-build/release.ts';
import { badSignatures, pairOf, readReleaseKey, releaseKeyHash } from '../../image-build/release-key.ts';
import { main as verifyCommand } from '../../image-build/verify-command.ts';
import { makeSmallImage, type SmallImage } from '../fixtures/built-image.ts';
import { captured } from '../fixtures/command.ts';

t.setTimeout(180_000);

let folder: string;
let bundle: Bundle;
let small: SmallImage;
let seedFile: string;
let keyHash: string;
let manifest: Manifest;

t.before(async () => {
  folder = t.testdir();
  bundle = await writeBundle(join(folder, 'bundle'));
  small = makeSmallImage(join(folder, 'release'), bundle);
  seedFile = join(folder, 'release.seed');
  await captured(t, () => keyCommand(['--out', seedFile]));
  const key = readReleaseKey(seedFile);
  keyHash = releaseKeyHash(key.publicKeys);
  manifest = await writeRelease(releaseFiles(small.path), bundle, key);
});

/** A copy of the image alone; the release stays where it is. */
function copyImage(t: Test): string {
  const copy = join(t.testdir(), 'card.img');
  cpSync(small.path, copy);
  return copy;
}

function verify(t: Test, image: string, ...more: string[]) {
  const words = [image, '--manifest', releaseFiles(small.path).manifest, ...more];
  return captured(t, () => verifyCommand(words));
}

function flip(image: string, at: number): void {
  const file = openSync(image, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

t.test('the image that was released is verified', async (t) => {
  const { code, out } = await verify(t, small.path, '--key-hash', keyHash, '--json');
  const said = JSON.parse(out);
  t.match(
    { code, said },
    { code: 0, said: { ok: true, board: 'vm', keyHash, rootHash: small.record.verity.rootHash } },
  );
  t.same(
    said.findings.map(({ what, result }: { what: string; result: string }) => `${what} ${result}`),
    ['signatures', 'part table', 'part boot', 'part root', 'part card', 'verity', 'files'].map((what) => `${what} ok`),
  );
  t.match(await verify(t, small.path), { code: 0, out: /compare it, or give --key-hash.*\nVERIFIED: /s });
});

t.test('the manifest names every file of the root as it is', async (t) => {
  const listing = execFileSync('find', ['.', '-printf', '%y %P %s\\n'], { cwd: small.root, encoding: 'utf8' });
  const kinds: Readonly<Record<string, string>> = { folder: 'd', file: 'f', link: 'l' };
  const written = listing
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^d (.*) \d+$/, 'd $1 0'));
  const named = manifest.files.map(({ kind, path, bytes }) => `${kinds[kind]} ${path === '.' ? '' : path} ${bytes}`);
  t.same(named.sort(), written.sort());
  const content = manifest.files.filter(({ kind }) => kind === 'file');
  const real = content.map(({ path }) => {
    const file = join(small.root, path);
    const mode = (statSync(file).mode & 0o7777).toString(8).padStart(4, '0');
    return { path, mode, uid: 0, gid: 0, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
  });
  t.same(
    content.map(({ path, mode, uid, gid, sha256 }) => ({ path, mode, uid, gid, sha256 })),
    real,
  );
});

t.test('one flipped byte in any part is found, and named', async (t) => {
  for (const { name, offset, bytes } of manifest.parts) {
    if (name === 'card') continue;
    const copy = copyImage(t);
    flip(copy, offset + Math.floor(bytes / 2));
    t.match(await verify(t, copy), { code: 1, out: new RegExp(`failed +part ${name} .*NOT VERIFIED`, 's') }, name);
  }
  const { offset } = manifest.parts.find(({ name }) => name === 'root')!;
  const behindData = copyImage(t);
  flip(behindData, offset + manifest.verity.dataBytes + 4096 + 5);
  t.match(await verify(t, behindData), { code: 1, out: /failed +verity +the tree of hashes is damaged/ });
  const data = copyImage(t);
  flip(data, offset + 200);
  t.match(await verify(t, data), { code: 1, out: /failed +verity +the data gives the root hash/ });
});

t.test('a site may be written to its part, which is said', async (t) => {
  const copy = copyImage(t);
  flip(copy, manifest.parts.find(({ name }) => name === 'card')!.offset + 100);
  t.match(await verify(t, copy), { code: 0, out: /skipped +part card +left out: a site was written.*\nVERIFIED/s });
  truncateSync(copy, statSync(copy).size + 4096);
  t.match(
    await verify(t, copy),
    { code: 0, out: /skipped +rest +left out: 4096 bytes behind the image/ },
    'a whole card',
  );
});

t.test('what is no image, or half of one, is one sentence', async (t) => {
  const copy = copyImage(t);
  truncateSync(copy, statSync(copy).size - 1);
  t.match(await verify(t, copy), {
    code: 1,
    err: /has \d+ bytes, the released image \d+: not written whole \[image-invalid\]/,
  });
  writeFileSync(copy, Buffer.alloc(manifest.image.bytes, 7));
  t.match(await verify(t, copy), {
    code: 1,
    err: /is no image of the appliance: it does not begin with a partition table/,
  });
  t.match(await verify(t, `${copy}.img`), { code: 3, err: /does not exist/ });
  t.match(await verify(t, folder), { code: 2, err: /does not end in \.img/ });
  t.match(await captured(t, () => verifyCommand([copy])), { code: 3, err: /card\.manifest\.json does not exist/ });
  t.match(await captured(t, () => verifyCommand([])), { code: 2 });
  t.match(await verify(t, copy, '--key-hash', 'abc'), { code: 2, err: /must be 64 hexadecimal digits/ });
});

t.test('a manifest that was changed, or that another key signed, is not believed', async (t) => {
  const release = join(t.testdir(), 'release');
  const place = () => {
    rmSync(release, { recursive: true, force: true });
    cpSync(join(folder, 'release'), release, { recursive: true });
    return releaseFiles(join(release, 'ghostpipe-0.1.0-vm.img'));
  };
  const run = (image: string, ...more: string[]) =>
    captured(t, () => verifyCommand([image, '--key-hash', keyHash, ...more]));

  const changed = place();
  const text = readFileSync(changed.manifest, 'utf8');
  writeFileSync(changed.manifest, text.replace('"mode":"0644"', '"mode":"4755"'));
  t.match(await run(changed.image), {
    code: 1,
    err: /the ML-DSA-65 signature of .* does not verify \[signature-invalid\]/,
  });

  for (const algorithm of ['mldsa65', 'ed25519'] as const) {
    const one = place();
    flip(one.signature(algorithm), 40);
    t.match(await run(one.image), { code: 1, err: /signature of .* does not verify/ }, `${algorithm} alone`);
    flip(one.signature(algorithm), 40);
    flip(one.publicKey(algorithm), 60);
    t.match(await run(one.image), { code: 1, err: /is signed by the release key \w+, not by/ });
  }

  const other = place();
  await captured(t, () => keyCommand(['--out', join(release, 'other.seed'), '--json']));
  await writeRelease(other, bundle, readReleaseKey(join(release, 'other.seed')));
  t.match(await run(other.image), { code: 1, err: new RegExp(`is signed by the release key \\w+, not by ${keyHash}`) });
  t.match(await captured(t, () => verifyCommand([other.image])), { code: 0 }, 'without a hash any key will do');
});

t.test('a signed manifest that lies about the root is found out', async (t) => {
  const release = join(t.testdir(), 'release');
  cpSync(join(folder, 'release'), release, { recursive: true });
  const files = releaseFiles(join(release, 'ghostpipe-0.1.0-vm.img'));
  const key = readReleaseKey(seedFile);
  const say = async (lie: Manifest) => {
    const content = Buffer.from(formatManifest(lie));
    writeFileSync(files.manifest, content);
    const signatures = key.sign(content);
    pairOf((algorithm) => writeFileSync(files.signature(algorithm), signatures[algorithm]));
    return captured(t, () => verifyCommand([files.image]));
  };
  const [first, ...others] = manifest.files;
  t.match(await say({ ...manifest, files: others }), { code: 1, out: /\/\. is in the root and not in the manifest/ });
  const more = { ...first!, path: 'usr/bin/sh' };
  t.match(await say({ ...manifest, files: [...manifest.files, more] }), { code: 1, out: /\/usr\/bin\/sh is missing/ });
  t.match(await say({ ...manifest, files: [{ ...first!, uid: 1 }, ...others] }), {
    code: 1,
    out: /is not as the manifest/,
  });
  const [table, ...parts] = manifest.parts;
  t.match(await say({ ...manifest, parts: [{ ...table!, offset: 1 }, ...parts] }), {
    code: 1,
    out: /failed +part table/,
  });
  writeFileSync(files.manifest, '{}');
  pairOf((algorithm) => writeFileSync(files.signature(algorithm), key.sign(Buffer.from('{}'))[algorithm]));
  t.match(await captured(t, () => verifyCommand([files.image])), { code: 1, err: /is signed but no manifest/ });
});

t.test('the other files of a release are what the manifest says, and openssl verifies it', async (t) => {
  const files = releaseFiles(small.path);
  for (const path of ['image', 'compressed', 'sbom', 'packages'] as const) {
    const bytes = readFileSync(files[path]);
    t.match(manifest[path], { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }, path);
  }
  t.ok(zstdDecompressSync(readFileSync(files.compressed)).equals(readFileSync(files.image)));
  t.same(parseManifest(readFileSync(files.manifest)), manifest);
  const words = ['pkeyutl', '-verify', '-pubin', '-inkey', files.publicKey('ed25519'), '-rawin', '-in', files.manifest];
  const run = promisify(execFile);
  await run('openssl', [...words, '-sigfile', files.signature('ed25519')]);
  await t.rejects(run('openssl', [...words, '-sigfile', files.signature('mldsa65')]), 'the other signature does not');
  const joined = Buffer.concat(['mldsa65', 'ed25519'].map((name) => readFileSync(files.publicKey(name as 'mldsa65'))));
  t.equal(createHash('sha256').update(joined).digest('hex'), keyHash, 'cat and sha256sum give the hash of the key');
});

t.test('nothing is released that is not what was built', async (t) => {
  const build = makeSmallImage(join(t.testdir(), 'release'), bundle, 'gpt');
  const files = releaseFiles(build.path);
  const key = readReleaseKey(seedFile);
  const released = await writeRelease(files, bundle, key);
  t.same(
    released.parts.map(({ name }) => name),
    ['table', 'boot', 'root', 'card', 'rest-4'],
    'a GPT has a second table',
  );
  t.match(await captured(t, () => verifyCommand([build.path])), { code: 0 });

  writeFileSync(join(bundle.folder, 'ghostpipe.cjs'), 'other');
  await t.rejects(writeRelease(files, bundle, key), {
    code: 'image-invalid',
    detail: /ghostpipe\.cjs of the image is not/,
  });
  flip(build.path, released.parts[1]!.offset);
  await t.rejects(writeRelease(files, bundle, key), {
    code: 'image-invalid',
    detail: /is not what .*build\.json says/,
  });
  t.match(await captured(t, () => verifyCommand([build.path])), { code: 3 }, 'no manifest is left');
  rmSync(files.buildRecord);
  await t.rejects(writeRelease(files, bundle, key), { code: 'file-invalid', detail: /build the image first/ });
});

t.test('a release key is a secret, and is never written over', async (t) => {
  t.equal(statSync(seedFile).mode & 0o777, 0o600);
  t.match(await captured(t, () => keyCommand(['--out', seedFile])), { code: 2, err: /never written over/ });
  t.throws(() => readReleaseKey(join(folder, 'none')), { code: 'key-missing' });
  writeFileSync(join(folder, 'bad'), 'not a seed', { mode: 0o600 });
  t.throws(() => readReleaseKey(join(folder, 'bad')), { code: 'file-invalid' });
  const { publicKeys, sign } = readReleaseKey(seedFile);
  const bytes = Buffer.from('x');
  t.same(badSignatures(publicKeys, bytes, sign(bytes)), []);
  const swapped = { mldsa65: publicKeys.ed25519, ed25519: 'no key' };
  t.same(badSignatures(swapped, bytes, sign(bytes)), ['mldsa65', 'ed25519']);
});
