/** The journal on the stick by itself: which segment is written over, and when there must be another. */
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { committed, parseSegment, signCommit } from '../../protocol/journal-segment.ts';
import { StickJournal } from '../../relay/log/stick-journal.ts';
import { logKeys, logSigners, ORIGIN } from '../fixtures/log.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';

const signers = logSigners(engine, 'journal');
const COMMITS = 1000;
const RECORD_BYTES = 2048;

/** Commits one record after the other, of which all but the last `unfiled` stand in files; gives what a cut leaves. */
async function journalOf(unfiled: number) {
  const disk = new MemoryStick();
  await disk.makeFolder('journal');
  await disk.syncFolder('');
  const sign = async (below: number, chain: Uint8Array) => signCommit(engine, signers, below, chain);
  const random = (length: number) => engine.random(length);
  const journal = new StickJournal({ disk, hasher: engine, random, folder: 'journal', origin: ORIGIN, first: 1, sign });
  for (let index = 0; index < COMMITS; index++) {
    const payload = new Uint8Array(RECORD_BYTES).fill(index % 251);
    await journal.commit([{ kind: 'record', index, payload }], Math.max(0, index - unfiled));
  }
  await journal.close();
  const left = disk.cut(0);
  const found = new Set<number>();
  for (const path of left.files) {
    const segment = parseSegment(engine, await left.read(path, 2 ** 20));
    for (const { index } of committed(engine, logKeys(signers), segment)?.items ?? []) found.add(index);
  }
  return { files: left.files, found };
}

t.test('a segment is written over only when all its records stand in files', async (t) => {
  const few = await journalOf(10);
  t.equal(few.files.length, 2, 'two in turn');
  const many = await journalOf(COMMITS);
  t.equal(many.files.length, Math.ceil((COMMITS * (RECORD_BYTES + 2574)) / 2 ** 20), 'as many as it takes');
  for (const [unfiled, { found }] of [
    [10, few],
    [COMMITS, many],
  ] as const) {
    for (let index = COMMITS - unfiled; index < COMMITS; index++) if (!found.has(index)) t.fail(`${index} is gone`);
  }
});
