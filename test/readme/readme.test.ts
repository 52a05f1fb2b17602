/** Every command of README.md and docs/ works as it stands there. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { commandBlocks, commandProblems } from './commands.ts';
import { Reader } from './reader.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BLOCK_MS = 180_000;

for (const path of ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).sort()]) {
  const markdown = readFileSync(join(ROOT, path), 'utf8');
  const blocks = commandBlocks(markdown);
  t.test(path, async (t) => {
    t.same(commandProblems(markdown), [], 'every command can be found and run as it stands');
    if (blocks.length === 0) return;
    const reader = new Reader();
    t.teardown(() => reader.leave());
    for (const block of blocks) {
      const { output, ...outcome } = await reader.type(block, BLOCK_MS);
      const expected = { code: 0, how: 'done', leftBehind: [], ready: block.ready !== undefined };
      t.same(outcome, expected, `line ${block.line}: ${block.text}`, { output });
    }
  });
}

t.test('commands are found by their fence', async (t) => {
  const page = [
    'Start it:',
    '```sh ready="relay is ready"',
    'npm start',
    '```',
    '- in a list',
    '  ```sh',
    '  echo one',
    '    echo two',
    '  ```',
    '```console',
    '$ npm start',
    '```',
  ].join('\n');
  t.same(commandBlocks(page), [
    { line: 2, text: 'npm start\n', ready: 'relay is ready' },
    { line: 6, text: 'echo one\n  echo two\n', ready: undefined },
  ]);
  t.same(commandProblems(page), []);
});

t.test('a block that nobody could run as it stands is found', async (t) => {
  const bad = ['echo <name>', 'paramant-sender --key pgp_xxx', 'cp ... here', 'export KEY=YOUR_KEY'];
  for (const text of bad) t.equal(commandProblems(`\`\`\`sh\n${text}\n\`\`\`\n`).length, 1, text);
  for (const info of ['', 'bash', 'shell', 'sh ready=x']) {
    t.equal(commandProblems(`\`\`\`${info}\necho\n\`\`\`\n`).length, 1, `fence "${info}"`);
  }
  t.same(commandProblems('```sh\nsort < a > b\n```\n'), []);
});

t.test('a command that fails, hangs, or leaves something running is found', async (t) => {
  const reader = new Reader();
  t.teardown(() => reader.leave());
  const type = (text: string, limitMs: number, ready?: string) => reader.type({ line: 1, text, ready }, limitMs);
  t.match(await type('echo before\nfalse\necho after', BLOCK_MS), { code: 1, output: 'before\n' });
  t.match(await type('sleep 1000', 200), { how: 'overtime' });
  t.match(await type('echo up; sleep 1000', BLOCK_MS, 'up'), { ready: true });
  t.match(await type('echo down', BLOCK_MS, 'up'), { ready: false, how: 'done' });
  t.match(await type('sleep 1000 &', BLOCK_MS), { code: 0, leftBehind: [Number] });
  t.match(
    await type('echo "<$NODE_OPTIONS>"; set +u; echo "<$NODE_OPTIONS>"', BLOCK_MS),
    { code: 1 },
    'no settings of tap',
  );
  t.match(await type('npm test', BLOCK_MS), { code: 0, output: /suites:/ });
});
