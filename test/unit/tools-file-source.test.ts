/** Files that are sent: their names, their states, and those that are named on the command line. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { takeFile, takeFiles } from '../../tools/sender/file-source.ts';
import { measure } from '../../tools/sender/file-state.ts';
import { putAside, wireName } from '../../tools/sender/put-aside.ts';
import { WatchFolder } from '../../tools/sender/watch-folder.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';
import { deliver, NEVER, ROOM, scene } from '../fixtures/watch.ts';

t.test('a file is cut into chunks that fit, and hashed whole', async (t) => {
  for (const size of [0, 1, ROOM - 10, ROOM - 9, 30_000]) {
    const { folder, open } = scene(t);
    const bytes = randomBytes(size);
    writeFileSync(join(folder, 'file.bin'), bytes);
    const sender = open();
    await takeFile(Buffer.from(join(folder, 'file.bin')), sender.options, NEVER);
    const chunks = deliver(sender);
    t.equal(chunks.length, Math.max(1, Math.ceil(size / (ROOM - 10))), `${size} bytes`);
    sameBytes(t, Buffer.concat(chunks.map((chunk) => chunk.bytes)), bytes);
    const { id, wholeSha256 } = chunks[0]!.group;
    sameBytes(t, wholeSha256, createHash('sha256').update(bytes).digest());
    for (const [index, { name, group }] of chunks.entries()) {
      if (name !== 'file.bin' || group.index !== index || group.count !== chunks.length) t.fail(`chunk ${index}`);
      if (Buffer.compare(group.id, id) !== 0) t.fail(`group of chunk ${index}`);
    }
  }
});

t.test('names: no UTF-8, control characters, 255 bytes, tricks', async (t) => {
  const { folder, open } = scene(t);
  const sender = open();
  const names = [Buffer.from([0x66, 0xff, 0x0a, 0x67]), Buffer.from('n'.repeat(255)), Buffer.from('..a\\..\\b')];
  for (const name of names) {
    if (name[0] === 0x2e) continue; // a leading dot hides it
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), name);
  }
  await sender.look();
  const chunks = deliver(sender);
  t.strictSame(chunks.map(({ name }) => name).sort(), ['f__g', 'n'.repeat(255)]);
  const sent = readdirSync(join(folder, '.sent'), { encoding: 'buffer' }) as unknown as Buffer[];
  t.ok(
    sent.some((name) => name.equals(names[0]!)),
    'its name stays what it was',
  );
  for (const [name, wanted] of [
    ['a/b', 'a/b'],
    ['', '_'],
    ['\u0000\u0085\ud800', '___'],
    ['ü', 'ü'],
  ] as const) {
    t.equal(wireName(Buffer.from(name)), wanted);
  }
  writeFileSync(join(folder, 'n'.repeat(255)), 'again');
  putAside(Buffer.from(join(folder, 'n'.repeat(255))), '.sent', 'tag');
  t.ok(existsSync(join(folder, '.sent', `${'n'.repeat(251)}.tag`)));
});

t.test('named files: one that is under way goes on, one that is missing is counted', async (t) => {
  const { folder, open, put } = scene(t);
  put('a');
  put('b');
  const sender = open();
  const paths = ['a', 'none', 'b'].map((name) => Buffer.from(join(folder, name)));
  const options = { ...sender.options, after: 'keep' as const };
  t.equal(await takeFiles(paths, options, NEVER), 1);
  t.equal(await takeFiles([paths[0]!], options, NEVER), 0);
  t.strictSame(sender.names(), ['a', 'b']);
  deliver(sender);
  t.ok(existsSync(join(folder, 'a')), 'it stays');
});

t.test('a file whose chunks are too large for the route is given up', async (t) => {
  const { folder, open, put } = scene(t);
  put('a', 'x'.repeat(2000));
  const sender = open();
  await takeFile(Buffer.from(join(folder, 'a')), sender.options, NEVER);
  t.strictSame(sender.outbox.nextBatch(ROOM - 1), { type: 'idle' });
  t.match(sender.problems, [{ code: 'file-not-sent', detail: /larger blocks/ }]);
});

t.test('hashing ends with the sender, and is of regular files; what is no folder is not watched', async (t) => {
  const { folder, open, put } = scene(t);
  put('a');
  const stop = new AbortController();
  stop.abort();
  await t.rejects(measure(Buffer.from(join(folder, 'a')), stop.signal), { code: 'file-not-sent' });
  await t.rejects(measure(Buffer.from(folder), NEVER), { code: 'file-not-sent' });
  const { options, watch, problems } = open();
  refuses(t, 'file-invalid', () => new WatchFolder({ ...options, folder: join(folder, 'a') }));
  rmSync(folder, { recursive: true });
  await watch.look(NEVER);
  t.match(problems, [{ code: 'file-not-sent', detail: /cannot be read \(ENOENT\)/ }]);
});
