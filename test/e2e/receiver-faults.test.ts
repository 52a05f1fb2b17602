/** Faults of a receiver's host, with real processes: killed at any step, and disks that are full. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lastJson, type Running, until } from '../fixtures/clients.ts';
import { endsWith, feed, introduceReceiver, linesOf, makePlant, readings } from '../fixtures/flow.ts';

t.setTimeout(180_000);

const DYING_TOOL = join(import.meta.dirname, '..', 'fixtures', 'dying-tool.ts');
/** The first one is in the middle of joining the site. */
const STEPS = [12, 34, 43, 50, 58, 69, 83];

/** All readings below an output folder, in the order of their place in the stream. */
function readingsIn(t: Test, output: string): string[] {
  const folder = join(output, 'plc-A1', 'readings');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('.')) : [];
  const records = names.flatMap((name) => {
    t.match(name, /\.jsonl$/);
    return linesOf(readFileSync(join(folder, name), 'utf8')).map(
      (line) => JSON.parse(line) as { id: string; data: string },
    );
  });
  const place = ({ id }: { id: string }) => Number(id.split('-').at(-1));
  return records.sort((a, b) => place(a) - place(b)).map(({ data }) => data);
}

t.test('killed right before a step, again and again: nothing lost, nothing twice', async (t) => {
  const plant = await makePlant(t);
  const output = plant.path('in');
  await introduceReceiver(plant);
  const file = randomBytes(150_000);
  writeFileSync(plant.path('recipe.bin'), file);
  const deliver = async (sender: Running): Promise<void> => {
    for (const step of STEPS) {
      const receiver = plant.receiver(['--output', output], { through: [process.execPath, DYING_TOOL, String(step)] });
      t.equal(await receiver.ended, 'SIGKILL', `before step ${step}: ${receiver.stderr()}`);
    }
    sender.child.stdin!.end();
    const last = plant.receiver(['--output', output]);
    await endsWith(t, sender, 0);
    await until('the receiver', () => last.stderr().includes('waits for readings'), last.stderr);
    last.child.kill('SIGTERM');
    await endsWith(t, last, 0);
  };
  const sent = readings(20);
  const sender = plant.sender(['--stdin']);
  feed(sender, sent);
  await deliver(sender);
  t.strictSame(readingsIn(t, output), sent);
  await deliver(plant.sender(['--file', plant.path('recipe.bin')]));
  t.strictSame(readingsIn(t, output), sent);
  const files = join(output, 'plc-A1', 'files');
  t.strictSame(readdirSync(files), ['recipe.bin']);
  t.equal(sha256(readFileSync(join(files, 'recipe.bin'))), sha256(file));
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const NEEDS_ROOT = process.getuid!() === 0 ? {} : { skip: 'only root can mount a small disk' };

/** A disk of 512 KiB until the test ends, and what fills it up and empties it. */
function smallDisk(t: Test): { path: string; fill(): void; free(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ghostpipe-test-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=700', 'tmpfs', path]);
  t.teardown(() => {
    execFileSync('umount', ['-l', path]);
    rmdirSync(path);
  });
  const filler = join(path, 'filler');
  return {
    path,
    fill() {
      for (const size of [4096, 1]) {
        try {
          for (;;) appendFileSync(filler, Buffer.alloc(size));
        } catch {
          // full
        }
      }
    },
    free: () => rmSync(filler),
  };
}

t.test('a full disk of the sink: said, waited for, nothing lost or doubled or half there', NEEDS_ROOT, async (t) => {
  const plant = await makePlant(t);
  const disk = smallDisk(t);
  const output = disk.path;
  const receiver = plant.receiver(['--output', output, '--json']);
  const sender = plant.sender(['--stdin', '--json']);
  const sent = readings(20);
  feed(sender, sent.slice(0, 10));
  await until('the first readings', () => readingsIn(t, output).length === 10, receiver.stderr);
  disk.fill();
  feed(sender, sent.slice(10));
  await until(
    'the word',
    () => receiver.stderr().includes('cannot be written (ENOSPC) [sink-failed]'),
    receiver.stderr,
  );
  t.strictSame(readingsIn(t, output), sent.slice(0, 10), 'no part of it is seen');
  disk.free();
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);

  disk.fill();
  const file = randomBytes(100_000);
  writeFileSync(plant.path('recipe.bin'), file);
  const before = receiver.stderr().length;
  const second = plant.sender(['--file', plant.path('recipe.bin'), '--json']);
  await until('the word', () => receiver.stderr().slice(before).includes('.incoming'), receiver.stderr);
  t.notOk(existsSync(join(output, 'plc-A1', 'files')));
  disk.free();
  await endsWith(t, second, 0);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.match(lastJson(receiver.stdout()), { ok: true, records: 20, files: 1, rejects: 0 });
  t.strictSame(readingsIn(t, output), sent);
  t.equal(sha256(readFileSync(join(output, 'plc-A1', 'files', 'recipe.bin'))), sha256(file));
});

t.test('a full disk of the marks: nothing is acknowledged until it has room', NEEDS_ROOT, async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const disk = smallDisk(t);
  const output = plant.path('in');
  const receiver = plant.receiver(['--output', output, '--json', '--state-dir', disk.path]);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  disk.fill();
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, readings(10));
  await until('the word', () => /\(ENOSPC\) \[state-failed\]/.test(receiver.stderr()), receiver.stderr);
  t.notOk(plant.events.some(({ type }) => type === 'acked'));
  disk.free();
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.strictSame(readingsIn(t, output), readings(10));
});
