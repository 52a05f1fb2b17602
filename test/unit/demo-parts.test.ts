/** What the demo is made of: readings, the relay's numbers, the picture, the verdict over its inspections. */
import { PassThrough } from 'node:stream';
import t from 'tap';
import { isClean, summary } from '../../tools/ghostpipe/demo.ts';
import type { DemoResult } from '../../tools/ghostpipe/demo-run.ts';
import { DemoView, type Scene, sceneLines } from '../../tools/ghostpipe/demo-view.ts';
import { combine } from '../../tools/ghostpipe/inspection.ts';
import { Readings } from '../../tools/ghostpipe/readings.ts';
import { parseNumbers } from '../../tools/ghostpipe/relay-watch.ts';

const SCENE: Scene = {
  phase: 'carrying readings',
  secondsLeft: 7,
  slots: 4,
  relay: { blocks: 5, covers: 2, burned: 3, held: 2 },
  readingsIn: 12,
  readingsOut: 8,
  lastIn: 'load #3 one=0.1',
  lastOut: 'load #2 one=0.2',
};

t.test('readings are counted once, and only when they went in', async (t) => {
  const sources = [
    { name: 'load', read: () => 'one=0.1' },
    { name: 'memory', read: () => 'total=1' },
  ];
  const readings = new Readings(sources, 'canary-1');
  const lines = [...readings.take(), ...readings.take()];
  t.equal(new Set(lines).size, 4, 'the same values twice are two readings');
  t.ok(lines.every((line) => line.endsWith(' canary-1')));
  t.equal(readings.lastIn, 'memory #2 total=1', 'shown without the canary, one source after the other');
  for (const line of [lines[0]!, lines[0]!, 'load #9 one=0.1 canary-1', lines[3]!]) readings.note(line);
  t.strictSame([readings.in, readings.out, readings.lastOut], [4, 2, 'memory #2 total=1']);
});

t.test('the numbers of the relay are sums over labels', async (t) => {
  const text = [
    '# TYPE ghostpipe_transfer_events counter',
    'ghostpipe_transfer_events_total{event="accepted"} 9',
    'ghostpipe_transfer_events_total{event="leased"} 7',
    'ghostpipe_blocks_burned_total{state="delivered"} 4',
    'ghostpipe_blocks_burned_total{state="expired"} 1',
    'ghostpipe_covers_total 3',
    'ghostpipe_slots{state="free"} 14',
    'ghostpipe_slots{state="used"} 2',
    '# EOF',
  ].join('\n');
  t.strictSame(parseNumbers(text), { blocks: 9, covers: 3, burned: 5, held: 2 });
  t.strictSame(parseNumbers('# EOF\n'), { blocks: 0, covers: 0, burned: 0, held: 0 });
});

t.test('a terminal is redrawn in place, anything else gets lines', async (t) => {
  const draw = (isTTY: boolean): string => {
    const out = Object.assign(new PassThrough(), { isTTY, columns: 40 });
    const view = new DemoView(out);
    view.show(SCENE);
    view.show(SCENE);
    view.note('something to know');
    view.show(SCENE);
    return out.read().toString();
  };
  const picture = draw(true);
  t.equal(picture.split('\x1b[9A').length - 1, 1, 'one step back: over the first picture, not over the note');
  const lines = draw(false);
  t.equal(lines.split('\n').length, 5);
  t.notMatch(lines, '\x1b');
});

t.test('the picture shows held blocks as slots and is never wider than the screen', async (t) => {
  t.match(sceneLines(SCENE, 76).join('\n'), /\[■■··\] {2}blocks 5 {2}burned 3 {2}covers 2/);
  t.match(sceneLines(SCENE, 76).at(-1), /carrying readings, 7 s left/);
  t.ok(sceneLines(SCENE, 30).every((line) => line.length <= 30));
});

t.test('an inspection that could not search is never taken for a clean one', async (t) => {
  const clean = { seen: [], control: true };
  const blind = { seen: null, control: null };
  const found = { seen: ['canary plain', 'secret 1 raw'], control: true };
  t.strictSame(combine([clean, clean]), { seen: 0, control: true });
  t.strictSame(combine([clean, found, found]), { seen: 2, control: true });
  t.strictSame(combine([clean, blind]), { seen: null, control: null });
  t.strictSame(combine([found, blind]), { seen: 2, control: null });
  t.strictSame(combine([clean, { seen: [], control: false }]), { seen: 0, control: false });
  t.strictSame(combine([]), { seen: null, control: null });
});

t.test('the verdict: a loss or a find fails, a search that was not possible is only said', async (t) => {
  const clean: DemoResult = {
    readingsIn: 40,
    readingsOut: 40,
    blocks: 12,
    covers: 3,
    burned: 12,
    lost: 0,
    seconds: 10,
    plaintextSeenByRelay: 0,
    control: true,
  };
  const cases: readonly [change: Partial<DemoResult>, ok: boolean, words: RegExp][] = [
    [{}, true, /Nothing readable was found in the relay.*found the canary in the sender/],
    [{ readingsOut: 39, lost: 1 }, false, /39 came out, 1 were lost/],
    [{ plaintextSeenByRelay: 2 }, false, /2 of the things looked for were found/],
    [{ control: false }, false, /but the control search failed/],
    [{ plaintextSeenByRelay: null, control: null }, true, /was not searched/],
  ];
  for (const [change, ok, words] of cases) {
    const result = { ...clean, ...change };
    t.equal(isClean(result), ok);
    t.match(summary(result), words);
  }
});
