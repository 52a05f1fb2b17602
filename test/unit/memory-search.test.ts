import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import {
  keyNeedles,
  type Memory,
  searchMemory,
  searchRegion,
  textNeedles,
} from '../../tools/ghostpipe/memory-search.ts';

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
    await searchRegion({ read } as unknown as Memory, { start: 0, end: 100 }, [needle], found, 16);
    if (!found.has('needle')) t.fail(`not found at ${place}`);
  }
  t.pass('found at every place');
});

t.test('memory that cannot be read is told from memory where nothing is', async (t) => {
  t.equal(await searchMemory(2 ** 22 + 1, textNeedles('canary', 'anything')), null);
});
