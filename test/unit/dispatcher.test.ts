/** `ghostpipe TOOL ...`: which module runs, with what, and what the user reads when none does. */
import t from 'tap';
import { main, TOOLS, type Tool } from '../../tools/ghostpipe/main.ts';

const calls: (readonly string[])[] = [];
const TOOL: Tool = {
  name: 'relay',
  link: 'ghostpipe-relay',
  summary: 'run the relay',
  load: async () => ({
    main: async (argv) => {
      calls.push(argv);
      return 3;
    },
  }),
};

t.test('a tool runs under its name and under that of its link', async (t) => {
  for (const name of ['relay', 'ghostpipe-relay']) {
    t.equal(await main([name, '--config', 'a b'], [TOOL]), 3, 'its exit code is kept');
    t.same(calls.pop(), ['--config', 'a b']);
  }
});

t.test('no tool, or an unknown one, is wrong usage', async (t) => {
  const stderr = t.capture(process.stderr, 'write');
  t.equal(await main([], [TOOL]), 2);
  t.equal(await main(['nothing'], [TOOL]), 2);
  const texts = stderr().map(({ args }) => args[0]);
  t.match(texts, [/^ghostpipe: no tool is named\n\nghostpipe: .*usage:/s, /^ghostpipe: "nothing" is not a tool\n/]);
  t.same(calls, []);
});

t.test('every tool can be loaded', async (t) => {
  for (const { name, load } of TOOLS) t.type((await load()).main, 'function', name);
});
