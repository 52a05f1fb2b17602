import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { searchMemory, searchRegion } from '../../tools/lib/memory-search.ts';
import { keyNeedles, NeedleIndex, textNeedles } from '../../tools/lib/needles.ts';
import { type Memory, parseMaps } from '../../tools/lib/process-memory.ts';

/** A process that keeps what it reads on its input, each line turned from base64 into bytes, and answers "held". */
const HOLDER = `
  const held = [];
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    held.push(Buffer.concat([Buffer.from('before '), Buffer.from(line, 'base64'), Buffer.from(' behind')]));
    console.log('held');
  });
`;

function holder(t: Test): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ['-e', HOLDER], { stdio: 'pipe' });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function give(child: ChildProcessWithoutNullStreams, bytes: Buffer): Promise<void> {
  child.stdin.write(`${bytes.toString('base64')}\n`);
  await once(child.stdout, 'data');
}

t.test('each spelling of a canary is found where it is, and one that is not there is not', async (t) => {
  const present = randomBytes(12).toString('hex');
  const absent = randomBytes(12).toString('hex');
  const child = holder(t);
  const spellings: readonly [string, Buffer][] = [
    ['utf-16', Buffer.from(present, 'utf16le')],
    ['hex', Buffer.from(Buffer.from(present).toString('hex'))],
  ];
  for (const [name, bytes] of spellings) {
    await give(child, bytes);
    const found = await searchMemory(child.pid!, [...textNeedles('canary', present), ...textNeedles('other', absent)]);
    t.ok(found?.includes(`canary ${name}`), name);
    t.notOk(
      found?.some((hit) => hit.startsWith('other')),
      'nothing else is found',
    );
  }
});

t.test('a canary inside a longer base64 text is found at each offset', async (t) => {
  const canary = 'a-canary-of-some-length';
  const needles = textNeedles('canary', canary);
  for (const offset of [0, 1, 2, 3, 4, 5]) {
    const text = Buffer.from(`${'x'.repeat(offset)}${canary} and more`).toString('base64');
    const hits = needles.filter(({ bytes }) => text.includes(bytes.toString()));
    t.strictSame(
      hits.map(({ name }) => name),
      [`canary base64+${offset % 3}`],
    );
  }
});

t.test('a key is found raw and in its encodings', async (t) => {
  const key = randomBytes(32);
  const child = holder(t);
  await give(child, key);
  const found = await searchMemory(child.pid!, [...keyNeedles('key', key), ...keyNeedles('other', randomBytes(32))]);
  t.ok(found?.includes('key raw'));
  t.notOk(found?.some((hit) => hit.startsWith('other')));
});

t.test('a needle on the border of two pieces is found', async (t) => {
  const needle = { name: 'needle', bytes: Buffer.from('12345678') };
  for (let place = 0; place <= 92; place++) {
    const bytes = Buffer.alloc(100, 'x');
    needle.bytes.copy(bytes, place);
    const read = async (into: Buffer, _offset: number, length: number, at: number) => ({
      bytesRead: bytes.copy(into, 0, at, at + length),
      buffer: into,
    });
    const found = new Set<string>();
    await searchRegion({ read } as unknown as Memory, { start: 0, end: 100 }, new NeedleIndex([needle]), found, 16);
    if (!found.has('needle')) t.fail(`not found at ${place}`);
  }
  t.pass('found at every place');
});

t.test('needles that begin alike are told apart', async (t) => {
  const names = (text: string): string[] => {
    const needles = ['abc1', 'abc2', 'ab'].map((name) => ({ name, bytes: Buffer.from(name) }));
    const found = new Set<string>();
    new NeedleIndex(needles).search(Buffer.from(text), found);
    return [...found].sort();
  };
  t.strictSame(names('xxabc2'), ['ab', 'abc2']);
  t.strictSame(names('xaabcabc1'), ['ab', 'abc1']);
  t.strictSame(names('a b c xa'), []);
  t.strictSame(names(''), []);
});

t.test('what a process can write to is searched, program text is not', async (t) => {
  const maps = [
    '10000-20000 r-xp 00000000 00:1d 42   /usr/bin/node',
    '20000-30000 r--p 00000000 00:1d 42   /usr/bin/node',
    '30000-40000 rw-p 00000000 00:1d 42   /usr/bin/node',
    '40000-50000 ---p 00000000 00:00 0 ',
    '50000-60000 r--p 00000000 00:00 0 ',
    '60000-70000 rw-p 00000000 00:00 0    [heap]',
    '70000-80000 r--p 00000000 00:00 0    [vvar]',
  ].join('\n');
  t.strictSame(
    parseMaps(maps).map(({ start }) => start),
    [0x30000, 0x50000, 0x60000],
  );
});

t.test('memory that cannot be read is told from memory where nothing is', async (t) => {
  t.equal(await searchMemory(2 ** 22 + 1, textNeedles('canary', 'anything')), null);
});
