/** Sinks: a folder, a command, standard output; and names from the other side made harmless. */
import { createHash } from 'node:crypto';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';
import { ExecSink } from '../../tools/receiver/exec-sink.ts';
import { FolderSink, type FolderSinkOptions } from '../../tools/receiver/folder-sink.ts';
import { safeName } from '../../tools/receiver/safe-name.ts';
import { type ChunkDelivery, type RecordBatch, recordId } from '../../tools/receiver/sink.ts';
import { StdoutSink } from '../../tools/receiver/stdout-sink.ts';
import { seedOf } from '../fixtures/site.ts';

function batch(...texts: (string | Uint8Array)[]): RecordBatch {
  return {
    sender: 'plc-A1',
    did: 'did:paramant:x',
    streamId: seedOf('stream').subarray(0, 16),
    run: seedOf('run').subarray(0, 16),
    timeQuality: 'operator',
    records: texts.map((text, seq) => ({ seq, wallTimeMs: seq * 1000, bytes: new Uint8Array(Buffer.from(text)) })),
  };
}

/** Chunks of a file of these parts. */
function chunks(
  parts: readonly string[],
  changes: { name?: string; id?: string; sha256?: Uint8Array } = {},
): ChunkDelivery[] {
  const wholeSha256 = changes.sha256 ?? new Uint8Array(createHash('sha256').update(parts.join('')).digest());
  const id = seedOf(changes.id ?? 'group').subarray(0, 16);
  return parts.map((text, index) => ({
    sender: 'plc-A1',
    name: changes.name ?? 'recipe.csv',
    group: { id, index, count: parts.length, wholeSha256 },
    bytes: Buffer.from(text),
  }));
}

/** A folder sink; whatever it puts into quarantine is written down in `refused`. */
function folderSink(root: string, options: Partial<FolderSinkOptions> = {}, refused: string[] = []): FolderSink {
  return new FolderSink({
    root,
    journal: `${root}.journal`,
    now: () => 0,
    onProgress: () => {},
    quarantine: (_path, name) => refused.push(name) > 0,
    ...options,
  });
}

const COMMITTED =
  '{"sender":"plc-A1","id":"ID","time":"1970-01-01T00:00:00.000Z","timeQuality":"operator","data":"a"}\n';

t.test('names from the other side become one plain component', async (t) => {
  const cases: readonly [string, string][] = [
    ['recipe.csv', 'recipe.csv'],
    ['Ölstand Tank 3 (neu).csv', 'Ölstand Tank 3 (neu).csv'],
    ['../../etc/passwd', '__.._etc_passwd'],
    ['/etc/passwd', '_etc_passwd'],
    ['..', '_'],
    ['.', '_'],
    ['', '_'],
    ['   ', '_'],
    ['.bashrc', '_bashrc'],
    ['-rf', '_rf'],
    [' .hidden', '_hidden'],
    ['a\0b\nc\u001b[2J', 'a_b_c__2J'],
    ['C:\\windows\\x', 'C__windows_x'],
    ['a*?"<>|b', 'a______b'],
    ['\u202egpj.exe', '_gpj.exe'],
    ['ends with dots...', 'ends with dots_'],
    ['e\u0301', 'é'],
    ['\ud800', '_'],
  ];
  for (const [hostile, safe] of cases) t.equal(safeName(hostile), safe, JSON.stringify(hostile));
  for (const letter of ['x', 'ß', '水', '𐐀']) {
    const long = safeName(letter.repeat(255));
    t.ok(Buffer.byteLength(long) <= 200 && Buffer.byteLength(long) > 190, letter);
    t.equal(long, letter.repeat([...long].length), 'cut between letters');
  }
});

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
  t.equal(`${first}\n`, COMMITTED.replace('ID', recordId(given, 0)));
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

t.test('two senders with one group id do not meet', async (t) => {
  const root = t.testdir();
  const sink = folderSink(root);
  const [first, second] = chunks(['one,', 'two']);
  t.equal(await sink.commitChunk(first!), false);
  t.equal(await sink.commitChunk({ ...second!, sender: 'plc-A2' }), false);
});

t.test('a command: 0 commits, 65 refuses for good, all else is for later', async (t) => {
  const folder = t.testdir();
  const never = new AbortController().signal;
  const run = (command: string) => new ExecSink(`cd '${folder}' && ${command}`, never);
  process.env.GHOSTPIPE_KEY = 'pgp_secret';
  t.teardown(() => {
    delete process.env.GHOSTPIPE_KEY;
  });
  const given = batch('a');
  await run('cat > got; echo "$GHOSTPIPE_SENDER:$GHOSTPIPE_KEY" > env').commitRecords(given);
  t.equal(readFileSync(join(folder, 'got'), 'utf8'), COMMITTED.replace('ID', recordId(given, 0)));
  t.equal(readFileSync(join(folder, 'env'), 'utf8'), 'plc-A1:\n', 'it knows the sender and no secret');
  await run('exit 0').commitRecords(batch('x'.repeat(1_000_000)));
  await t.rejects(run('exit 65').commitRecords(given), { name: 'SinkRefusal' });
  await t.rejects(run('exit 1').commitRecords(given), { code: 'sink-failed', detail: 'the command ended with 1' });
  await t.rejects(run('kill -9 $$').commitRecords(given), {
    code: 'sink-failed',
    detail: 'the command ended with SIGKILL',
  });
  await t.rejects(run('exit 0').commitChunk(), { name: 'SinkRefusal' });
  await run('exit 0').close();
});

t.test('standard output: as they came or as JSON, committed when written', async (t) => {
  let written = '';
  const out = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  await new StdoutSink(out, false).commitRecords(batch('a', 'b\r'));
  t.equal(written, 'a\nb\r\n');
  written = '';
  const sink = new StdoutSink(out, true);
  await sink.commitRecords(batch('a'));
  t.equal(written, COMMITTED.replace('ID', recordId(batch('a'), 0)));
  await t.rejects(sink.commitChunk(), { name: 'SinkRefusal' });
  await sink.close();
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  await t.rejects(new StdoutSink(broken, false).commitRecords(batch('a')), { code: 'sink-failed' });
});
