/** The fuzzer finds what is wrong with parsers that somebody sabotaged, each fault within its inputs. */
import t from 'tap';
import { Coverage } from './coverage.ts';
import { Failures } from './failures.ts';
import { fuzz } from './fuzzer.ts';
import type { Target } from './target.ts';

const coverage = new Coverage(/\/fuzz\/sabotaged\.ts$/); // before the parsers are loaded
const sabotaged = await import('./sabotaged.ts');

async function kindsFound(target: Target, inputs: number, limitMs?: number): Promise<string[]> {
  const { failures } = await fuzz(target, { inputs, seed: 'sabotage', ...(limitMs !== undefined && { limitMs }) });
  return [...new Set(failures.map(({ kind }) => kind))];
}

t.test('a crash behind four checks is found by who keeps what reaches new code, and not by chance', async (t) => {
  const inputs = 150_000;
  const { failures, corpus } = await fuzz(sabotaged.deepCrash, { inputs, seed: 'sabotage', coverage });
  t.match(failures, [{ kind: 'crash', message: /TypeError/ }]);
  t.ok(corpus >= 4, 'each check was a step');
  t.throws(() => sabotaged.deepCrash.run(Buffer.from(failures[0]!.input, 'hex')), TypeError, 'the input repeats it');
  const blind = await fuzz(sabotaged.deepCrash, { inputs, seed: 'sabotage' });
  t.same(blind.failures, []);
});

t.test('work and memory by a length field', async (t) => {
  t.ok((await kindsFound(sabotaged.endlessLoop, 3000, 200)).includes('hang'));
  t.same(await kindsFound(sabotaged.bigBuffer, 500), ['memory']);
  t.same(await kindsFound(sabotaged.bigList, 500), ['memory']);
});

t.test('memory that does not come back', async (t) => {
  t.same(await kindsFound(sabotaged.leak, 4000), ['leak']);
});

t.test(
  'what is accepted and should not be, refused and should not be, or a fault that calls itself a refusal',
  async (t) => {
    t.same(await kindsFound(sabotaged.looseFlag, 2000), ['broken']);
    t.same(await kindsFound(sabotaged.deafParser, 100), ['seed']);
    t.same(await kindsFound(sabotaged.internalFault, 2000), ['crash']);
  },
);

t.test('the same seed tries the same inputs, another one others', async (t) => {
  const tried = async (seed: string) => {
    const inputs: string[] = [];
    const run = (input: Uint8Array): void => void inputs.push(Buffer.from(input).toString('hex'));
    await fuzz({ ...sabotaged.looseFlag, run }, { inputs: 200, seed });
    return inputs.join();
  };
  const first = await tried('a');
  t.equal(await tried('a'), first);
  t.not(await tried('b'), first);
});

t.test('failures that look the same are one', async (t) => {
  const failures = new Failures();
  for (const size of [1, 22, 333]) failures.add('slow', `${size} bytes take ${size * 9} ms`, new Uint8Array(size));
  failures.add('crash', 'thrown text', new Uint8Array(0));
  t.match(failures.all, [
    { kind: 'slow', times: 3, input: '00' },
    { kind: 'crash', message: 'thrown text', times: 1 },
  ]);
});
