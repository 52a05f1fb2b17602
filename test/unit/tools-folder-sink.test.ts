/** The folder sink: readings once, files whole or not at all, whatever comes in whatever order. */
import { execFileSync } from 'node:child_process';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recordId } from '../../tools/receiver/sink.ts';
import { batch, COMMITTED, chunks, folderSink } from '../fixtures/deliveries.ts';
import { seedOf } from '../fixtures/site.ts';

t.test('readings: one file a block, the same again changes nothing', async (t) => {
  const root = join(t.testdir(), 'out');
  const sink = folderSink(root);
  const given = batch('a', Uint8Array.of(0xff));
  const folder = join(root, 'plc-A1', 'readings');
  const name = `${recordId(given, 0)}.jsonl`;
  for (let i = 0; i < 2; i++) {
    await sink.commitRecords(given);
    t.strictSame(readdirSync(folder), [name]);
  }
  const [first, second] = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n');
  t.equal(`${first}\n`, COMMITTED);
  t.match(JSON.parse(second!), { dataBase64: '/w==', time: '1970-01-01T00:00:01.000Z' });
  await sink.close();
});

t.test('what a killed receiver left half written is removed at the next start', async (t) => {
  const root = t.testdir({ 'plc-A1': { readings: { '.a.jsonl.1.tmp': 'half', 'a.jsonl': 'whole' }, files: {} } });
  folderSink(root);
  t.strictSame(readdirSync(join(root, 'plc-A1', 'readings')), ['a.jsonl']);
});

t.test('a folder that cannot be written is a failure that may pass', async (t) => {
  const root = t.testdir({ file: '', out: { 'plc-A1': 'no folder', '.incoming': '' } });
  t.throws(() => folderSink(join(root, 'file', 'x')), { code: 'sink-failed' });
  const sink = folderSink(join(root, 'out'));
  await t.rejects(sink.commitRecords(batch('a')), { code: 'sink-failed' });
  await t.rejects(sink.commitChunk(chunks(['a'])[0]!), { code: 'sink-failed' });
});

t.test('a file appears whole, whatever the order of its chunks, and once', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const parts = chunks(['one,', 'two,', 'end']);
  const files = join(root, 'plc-A1', 'files');
  t.strictSame([await sink.commitChunk(parts[2]!), await sink.commitChunk(parts[0]!)], [false, false]);
  t.notOk(existsSync(files));
  t.equal(await sink.commitChunk(parts[1]!), true);
  t.equal(readFileSync(join(files, 'recipe.csv'), 'utf8'), 'one,two,end');
  for (const part of parts) t.equal(await sink.commitChunk(part), true, 'again');
  t.strictSame(readdirSync(files), ['recipe.csv']);
  const [group] = readdirSync(join(root, '.incoming'));
  t.strictSame(readdirSync(join(root, '.incoming', group!)), ['whole'], 'no chunk is kept');
});

t.test('a crash while the file gets its name gives it no second one', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const [first, second] = chunks(['one,', 'two']);
  await sink.commitChunk(first!);
  await sink.commitChunk(second!);
  const incoming = join(root, '.incoming', readdirSync(join(root, '.incoming'))[0]!);
  // Back to the moment before "whole" was written: the name is given, the joined file still there.
  rmSync(join(incoming, 'whole'));
  linkSync(join(root, 'plc-A1', 'files', 'recipe.csv'), join(incoming, 'joined'));
  t.equal(await sink.commitChunk(second!), true);
  t.strictSame(readdirSync(join(root, 'plc-A1', 'files')), ['recipe.csv']);
});

t.test('nothing is ever replaced: a second file of a name gets another', async (t) => {
  const root = t.testdir({ 'plc-A1': { files: {} } });
  const sink = folderSink(root);
  symlinkSync('nowhere', join(root, 'plc-A1', 'files', 'recipe.csv.1'));
  for (const id of ['x', 'y', 'z']) await sink.commitChunk(chunks([`text ${id}`], { id })[0]!);
  const files = join(root, 'plc-A1', 'files');
  t.strictSame(readdirSync(files).sort(), ['recipe.csv', 'recipe.csv.1', 'recipe.csv.2', 'recipe.csv.3']);
  t.equal(readFileSync(join(files, 'recipe.csv.3'), 'utf8'), 'text z');
  await sink.commitChunk(chunks(['x'], { id: 'h', name: '../../../escape' })[0]!);
  t.ok(existsSync(join(files, '__.._.._escape')));
});

t.test('a file that is not what was announced, and groups that cannot be, are refused for good', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const [first, second] = chunks(['one,', 'two'], { sha256: seedOf('other') });
  t.equal(await sink.commitChunk(first!), false);
  await t.rejects(sink.commitChunk(second!), { name: 'SinkRefusal' });
  t.notOk(existsSync(join(root, 'plc-A1')));
  for (const group of [
    { index: 0, count: 0 },
    { index: 2, count: 2 },
    { index: 0, count: 4_000_000_000 },
  ]) {
    await t.rejects(sink.commitChunk({ ...first!, group: { ...first!.group, ...group } }), { name: 'SinkRefusal' });
  }
});

t.test('a file that is not what was announced goes to the quarantine, and its chunks are gone', async (t) => {
  const root = t.testdir();
  const refused: string[] = [];
  const sink = folderSink(root, {}, refused);
  const [first, second] = chunks(['one,', 'two'], { sha256: seedOf('other'), name: '../x' });
  await sink.commitChunk(first!);
  await t.rejects(sink.commitChunk(second!), { name: 'SinkRefusal', message: /SHA-256 differs/ });
  t.strictSame(refused, ['plc-A1-.._x']);
  const [long] = chunks(['one'], { sha256: seedOf('other'), name: 'n'.repeat(300), id: 'long' });
  await t.rejects(sink.commitChunk(long!), { name: 'SinkRefusal' });
  t.equal(refused[1]!.length, 200, 'a file system takes the name');
  t.strictSame(readdirSync(join(root, '.incoming')), []);
});

t.test('chunks of one file agree with each other', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const [first, second, third] = chunks(['one,', 'two!', 'end']);
  await sink.commitChunk(first!);
  const short = { ...second!, bytes: Buffer.from('two') };
  await t.rejects(sink.commitChunk(short), { message: 'chunk 1 has 3 bytes, the ones before had 4' });
  const other = { ...second!, group: { ...second!.group, count: 5 } };
  await t.rejects(sink.commitChunk(other), { message: /says 5 chunks and another SHA-256, the ones before 3/ });
  const [group] = readdirSync(join(root, '.incoming'));
  const form = join(root, '.incoming', group!, 'form.json');
  const text = readFileSync(form);
  writeFileSync(form, '{}');
  await t.rejects(sink.commitChunk(second!), { message: /damaged/ });
  writeFileSync(form, text);
  const empty = chunks(['', 'x'], { id: 'empty' })[0]!;
  await t.rejects(sink.commitChunk(empty), { message: /is empty/ });
  t.equal(await sink.commitChunk(second!), false);
  t.equal(await sink.commitChunk(third!), true);
});

t.test('an empty file, and a large one that is never twice on the disk', async (t) => {
  const root = t.testdir();
  let pieces = 0;
  const onProgress = (): void => {
    pieces += 1;
  };
  const sink = folderSink(root, { onProgress });
  t.equal(await sink.commitChunk(chunks([''], { id: 'empty', name: 'empty' })[0]!), true);
  t.equal(readFileSync(join(root, 'plc-A1', 'files', 'empty'), 'utf8'), '');
  const parts = chunks(
    Array.from({ length: 8 }, (_, i) => String(i).repeat(1_000_000)),
    { name: 'large' },
  );
  let most = 0;
  for (const part of [...parts.slice(4), ...parts.slice(0, 4)]) {
    await sink.commitChunk(part);
    most = Math.max(most, Number(execFileSync('du', ['-sk', root], { encoding: 'utf8' }).split('\t')[0]));
  }
  t.equal(statSync(join(root, 'plc-A1', 'files', 'large')).size, 8_000_000);
  t.ok(most < 9_500, `${most} KiB, with one chunk apart`);
  t.ok(pieces >= 8, 'checked in pieces');
});

t.test('a file that gets no chunk for a week of running is given up, over restarts', async (t) => {
  const root = t.testdir();
  const [first] = chunks(['one,', 'two']);
  const clock = { ms: 0 };
  const open = () => folderSink(root, { now: () => clock.ms });
  let sink = open();
  t.equal(await sink.commitChunk(first!), false);
  t.equal(await sink.commitChunk(chunks(['x'], { id: 'whole' })[0]!), true);
  t.strictSame(sink.tend(), [], 'not yet time to look');
  const look = (): readonly string[] => {
    clock.ms += 600_000;
    return sink.tend();
  };
  const said: string[] = [];
  for (let looks = 0; looks < 1008; looks++) {
    if (looks % 100 === 0) sink = open();
    said.push(...look());
  }
  t.strictSame(said, []);
  t.equal(readdirSync(join(root, '.incoming')).length, 2);
  await sink.commitChunk(first!); // a chunk begins the count anew
  t.strictSame(look(), [], 'the whole one goes without a word');
  t.equal(readdirSync(join(root, '.incoming')).length, 1);
  for (let looks = 1; looks < 1008; looks++) said.push(...look());
  t.strictSame(said, []);
  t.match(look(), [/^the file plc-A1-[0-9a-f]{32} got no chunk for a week and is given up: 1 of its chunks had come/]);
  t.strictSame(readdirSync(join(root, '.incoming')), []);
});

t.test('a journal that cannot be written is named, and nothing is committed without it', async (t) => {
  const root = t.testdir({ 'a-file': '' });
  const sink = folderSink(join(root, 'out'), { journal: join(root, 'a-file', 'journal') });
  await t.rejects(sink.commitRecords(batch('a')), { code: 'sink-failed', detail: /the journal .*a-file\/journal/ });
  t.strictSame(readdirSync(join(root, 'out')), []);
});

t.test('a journal that a crash tore names nothing', async (t) => {
  const root = t.testdir({ 'out.journal': '{"path":"/half' });
  const sink = folderSink(join(root, 'out'));
  await sink.commitRecords(batch('a'));
  await sink.close();
  t.equal(await folderSink(join(root, 'out')).commitRecords(batch('a', 'b')), 1);
  const names = readdirSync(join(root, 'out', 'plc-A1', 'readings')).sort();
  t.strictSame(names, [`${recordId(batch('a'), 0)}.jsonl`, `${recordId(batch('a'), 1)}.jsonl`], 'only what is new');
});

t.test('an output folder whose name takes more bytes than letters does not keep the next start away', async (t) => {
  const root = join(t.testdir(), 'größe-Ωµ');
  const sink = folderSink(root);
  await sink.commitRecords(batch('a'));
  await sink.close();
  t.equal(await folderSink(root).commitRecords(batch('a')), 0, 'and the journal is understood');
});

t.test('two senders with one group id do not meet', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const [first, second] = chunks(['one,', 'two']);
  t.equal(await sink.commitChunk(first!), false);
  t.equal(await sink.commitChunk({ ...second!, sender: 'plc-A2' }), false);
});
