/** Commands: options as data, help from them, one exit code for each kind of refusal. */
import t from 'tap';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import {
  type Arguments,
  type CommandSpec,
  integerOption,
  numberOption,
  requiredOption,
  runCommand,
} from '../../tools/lib/command.ts';
import { Notices } from '../../tools/lib/notices.ts';
import { configFolder, deviceFolder, stateFolder } from '../../tools/lib/paths.ts';
import { listenForStop } from '../../tools/lib/stop.ts';
import { captured } from '../fixtures/command.ts';

const SPEC: CommandSpec = {
  name: 'try-it',
  summary: 'stands for a command',
  usage: '[options]',
  options: {
    file: { type: 'string', multiple: true, value: 'FILE', help: 'any file' },
    'max-views': { type: 'string', value: 'N', help: 'a number' },
    quick: { type: 'boolean', short: 'q', help: 'a flag' },
  },
  examples: ['try-it --quick'],
};

const run = (argv: readonly string[], action: (args: Arguments) => Promise<number> = async () => 0, spec = SPEC) =>
  captured(t, () => runCommand(spec, argv, action));

t.test('options reach the action by their names', async (t) => {
  let seen: unknown;
  const { code } = await run(['--file', 'a', '--file', 'b', '-q', '--max-views', '3'], async (args) => {
    seen = [args.texts('file'), args.flag('quick'), args.text('max-views'), args.text('none'), args.texts('none')];
    return 7;
  });
  t.equal(code, 7);
  t.strictSame(seen, [['a', 'b'], true, '3', undefined, []]);
});

t.test('help tells every option, an example and the exit codes', async (t) => {
  const { code, out } = await run(['--help']);
  t.equal(code, 0);
  for (const words of ['try-it: stands for a command', '--file FILE', '-q, --quick', '--json', 'exit codes: 0 done'])
    t.match(out, words);
  t.match((await run(['--version'])).out, /^try-it \(ghostpipe\) \d+\.\d+\.\d+, Node \d+.*needs >=/);
});

t.test('wrong usage ends with 2', async (t) => {
  for (const argv of [['--nope'], ['word'], ['--file'], ['--quick=1']]) {
    const { code, err } = await run(argv);
    t.equal(code, 2, argv.join(' '));
    t.match(err, /^try-it: .*\[usage\]\n {2}Run the command with --help\.\n$/);
  }
  const two = await run(['a', 'b'], async (args) => args.positionals.length, { ...SPEC, maxPositionals: 2 });
  t.equal(two.code, 2, 'the action gave it');
});

t.test('refusals: 3 when it could not run, 1 when it failed, and one JSON object', async (t) => {
  const cases: readonly [ProblemCode, number][] = [
    ['config-invalid', 3],
    ['config-missing', 3],
    ['profile-missing', 3],
    ['key-missing', 3],
    ['identity-missing', 3],
    ['permissions-open', 3],
    ['file-invalid', 3],
    ['relay-unreachable', 1],
    ['pin-mismatch', 1],
    ['usage', 2],
  ];
  for (const [problem, exit] of cases) {
    const refused = await run(['--json'], () => Promise.reject(new Problem(problem, 'the fact')));
    t.equal(refused.code, exit, problem);
    const { mend } = new Problem(problem, '');
    t.strictSame(JSON.parse(refused.out), { ok: false, code: problem, detail: 'the fact', mend });
  }
  const { code, out, err } = await run([], () => Promise.reject(new Error('unforeseen')));
  t.equal(code, 1);
  t.equal(out, '', 'no JSON unless asked');
  t.match(err, 'unforeseen [internal]');
});

t.test('numbers, whole numbers and what must be there', async (t) => {
  const value = (text: string | undefined) => ({ text: () => text }) as unknown as Arguments;
  t.equal(numberOption(value('0.5'), 'n', 0.1, 1), 0.5);
  t.equal(numberOption(value(undefined), 'n', 0, 1), undefined);
  t.equal(integerOption(value('12'), 'n', 1, 12), 12);
  t.equal(integerOption(value(undefined), 'n', 1, 12), undefined);
  for (const text of ['', '2', '-1', '1e3', '0x1', ' 1', 'NaN', '.5'])
    t.throws(() => numberOption(value(text), 'n', 0.1, 1), { code: 'usage' }, text);
  t.throws(() => integerOption(value('1.5'), 'n', 1, 12), { code: 'usage' });
  t.equal(requiredOption(value('x'), 'n'), 'x');
  for (const text of ['', undefined]) t.throws(() => requiredOption(value(text), 'n'), { code: 'usage' });
});

t.test('a notice is said once a minute, and again when it is another', async (t) => {
  let now = 0;
  const notices = new Notices('try-it', () => now);
  const { err } = await captured(t, async () => {
    const problem = (detail: string) => notices.problem(new Problem('relay-unreachable', detail));
    problem('first');
    problem('first');
    problem('second');
    now = 60_000;
    problem('first');
    for (let i = 0; i < 1002; i++) problem(`many ${i}`);
    notices.say('plain');
    return 0;
  });
  t.equal(err.split('try-it: first [relay-unreachable]').length - 1, 2);
  t.equal(err.split('try-it: second').length - 1, 1);
  t.ok(err.endsWith('try-it: plain\n'));
});

t.test('the first signal asks, an echo of it does not insist, a later one does', async (t) => {
  const before = process.listenerCount('SIGTERM');
  const clock = t.capture(performance, 'now', () => 0);
  const stop = listenForStop();
  t.strictSame([stop.asked.aborted, stop.forced.aborted], [false, false]);
  process.emit('SIGTERM');
  process.emit('SIGINT');
  t.strictSame([stop.asked.aborted, stop.forced.aborted], [true, false]);
  clock.restore();
  const later = t.capture(performance, 'now', () => 1e9);
  process.emit('SIGTERM');
  t.equal(stop.forced.aborted, true);
  later.restore();
  stop.dispose();
  const other = listenForStop();
  other.ask();
  t.strictSame([other.asked.aborted, other.forced.aborted], [true, false]);
  other.force();
  t.equal(other.forced.aborted, true);
  other.dispose();
  t.equal(process.listenerCount('SIGTERM'), before, 'nothing listens any more');
});

t.test('folders follow the environment', async (t) => {
  t.equal(configFolder({ GHOSTPIPE_CONFIG_DIR: '/a' }), '/a');
  t.equal(configFolder({ XDG_CONFIG_HOME: '/b' }), '/b/ghostpipe');
  t.match(configFolder({}), /\.config\/ghostpipe$/);
  t.equal(stateFolder({ GHOSTPIPE_STATE_DIR: '/a' }), '/a');
  t.equal(stateFolder({ XDG_STATE_HOME: '/b' }), '/b/ghostpipe');
  t.match(stateFolder({}), /\.local\/state\/ghostpipe$/);
  t.equal(deviceFolder('/a', 'plc'), '/a/devices/plc');
});
