/** Sinks: a command, standard output; and names from the other side made harmless. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';
import { ExecSink } from '../../tools/receiver/exec-sink.ts';
import { safeName } from '../../tools/receiver/safe-name.ts';
import type { DeviceNote } from '../../tools/receiver/sink.ts';
import { StdoutSink } from '../../tools/receiver/stdout-sink.ts';
import { batch, COMMITTED } from '../fixtures/deliveries.ts';

const STALE: DeviceNote = {
  sender: 'plc-A1',
  state: 'stale',
  silentSlots: 3,
  report: { sourceState: 'failed', backlogRecords: 2, backlogAgeMs: 5000 },
};
const STALE_LINE =
  '{"sender":"plc-A1","state":"stale","silentSlots":3,"sourceState":"failed","backlogRecords":2,"backlogAgeMs":5000}\n';

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
  t.equal(readFileSync(join(folder, 'got'), 'utf8'), COMMITTED);
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

t.test('a command is told of silent senders: one line and the state, one command at a time', async (t) => {
  const folder = t.testdir();
  const never = new AbortController();
  const run = (command: string) => new ExecSink(`cd '${folder}' && ${command}`, never.signal);
  const sink = run('echo begins >> log; cat >> log; echo "$GHOSTPIPE_SENDER:$GHOSTPIPE_STATE ends" >> log');
  await Promise.all([sink.note(STALE), sink.commitRecords(batch('a'))]);
  t.equal(
    readFileSync(join(folder, 'log'), 'utf8'),
    `begins\n${STALE_LINE}plc-A1:stale ends\nbegins\n${COMMITTED}plc-A1: ends\n`,
  );
  await run('exit 65').note(STALE);
  const detail = 'the command, told that plc-A1 is stale, ended with 1';
  await t.rejects(run('exit 1').note(STALE), { code: 'sink-failed', detail });
  const slow = run('sleep 0.2; echo late >> log');
  const told = slow.note(STALE);
  await slow.close();
  t.match(readFileSync(join(folder, 'log'), 'utf8'), /late\n$/, 'closed when the command has ended');
  await told;
  never.abort();
  await t.rejects(run('exit 0').note(STALE), { code: 'sink-failed', detail: /not started/ });
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
  t.equal(written, COMMITTED);
  await t.rejects(sink.commitChunk(), { name: 'SinkRefusal' });
  written = '';
  await sink.note(STALE);
  t.equal(written, STALE_LINE);
  await new StdoutSink(out, false).note(STALE);
  t.equal(written, STALE_LINE, 'nothing among readings as they came');
  await sink.close();
  const broken = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
  await t.rejects(new StdoutSink(broken, false).commitRecords(batch('a')), { code: 'sink-failed' });
});
