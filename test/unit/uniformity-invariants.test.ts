/** What the proof of uniform traffic counts in a decrypted capture: each way to leak by it is found. */
import t from 'tap';
import type { RecordRow } from '../uniformity/capture.ts';
import { invariantsOf, laneExchanges, treeGrowthVariance, variance } from '../uniformity/invariants.ts';
import type { Proof } from '../uniformity/proof.ts';
import { judge } from '../uniformity/verdict.ts';

const [DEVICE, RELAY] = ['10.85.1.2', '10.85.1.1'];
const BLOCK = 65_536;
const RECORD = 16_384;
const OVERHEAD = 17;
const HEADER_BYTES = 244;
const GRID = { openMs: 1_000_000, intervalMs: 250 };
const SLOTS = 20;

/** What a slot does that the others do not. */
interface Leak {
  readonly headerBytes?: number;
  readonly records?: number;
  readonly again?: true;
  readonly lateMs?: number;
  readonly connection?: number;
}

/** The records of a lane: a block up and a frame down in each slot; `leak` says what some slots do. */
function wire(leak: (slot: number) => Leak = () => ({})): RecordRow[] {
  const rows: RecordRow[] = [row(0, 1, DEVICE, [22, 22], [200, 69], null), row(1, 1, RELAY, [22], [3000], null)];
  for (let slot = 0; slot < SLOTS; slot++) {
    const { headerBytes = 0, records = 0, again = false, lateMs = 0, connection = 1 } = leak(slot);
    const opensMs = GRID.openMs + slot * GRID.intervalMs + 10 + lateMs;
    for (const beganMs of again ? [opensMs, opensMs + 100] : [opensMs]) {
      const header = HEADER_BYTES + headerBytes;
      const last = records > 0 ? [header - 100, 100] : [header];
      const data = [RECORD, RECORD, RECORD, RECORD, ...last].map((bytes) => bytes + OVERHEAD);
      rows.push(row(beganMs, connection, DEVICE, [23, 23], data.slice(0, 2), null));
      rows.push(
        row(
          beganMs + 5,
          connection,
          DEVICE,
          data.slice(2).map(() => 23),
          data.slice(2),
          header,
        ),
      );
      rows.push(row(beganMs + 30, connection, RELAY, [23, 23], [RECORD + OVERHEAD, 130 + OVERHEAD], 130));
    }
  }
  return rows;
}

function row(
  timeMs: number,
  connection: number,
  source: string,
  types: readonly number[],
  lengths: readonly number[],
  headerBytes: number | null,
): RecordRow {
  return { timeMs, connection, source, types, lengths, headerBytes };
}

function measured(leak?: (slot: number) => Leak, except: Parameters<typeof invariantsOf>[2] = []) {
  return invariantsOf(laneExchanges(wire(leak), DEVICE, BLOCK), GRID, except);
}

/** Names of the figures that vary. */
function varying(leak?: (slot: number) => Leak): string[] {
  return Object.entries(measured(leak).variances).flatMap(([name, value]) => (value === 0 ? [] : [name]));
}

t.test('equal slots vary in nothing, and are counted as they are', async (t) => {
  const { slots, values } = measured();
  t.same(varying(), []);
  t.equal(slots, SLOTS - 3, 'the exchange under way at the end is left out, and the slots at both edges');
  t.same(values, {
    exchanges: 1,
    connections: 1,
    requestBytes: BLOCK + HEADER_BYTES,
    requestRecords: 5,
    requestHeaderBytes: HEADER_BYTES,
    answerBytes: RECORD + 130,
    answerRecords: 2,
    answerHeaderBytes: 130,
  });
});

t.test('each leak of an eventful slot is found', async (t) => {
  const isEvent = (slot: number) => slot % 3 === 0;
  t.same(
    varying((slot) => (isEvent(slot) ? { headerBytes: 1 } : {})),
    ['requestBytes', 'requestHeaderBytes'],
  );
  t.same(
    varying((slot) => (isEvent(slot) ? { records: 1 } : {})),
    ['requestRecords'],
  );
  t.same(
    varying((slot) => (slot === 7 ? { again: true } : {})),
    ['exchanges'],
    'a second try within one slot',
  );
});

t.test('a machine that was slow is no leak', async (t) => {
  t.same(
    varying((slot) => (slot === 7 ? { lateMs: 245 } : {})),
    [],
    'an exchange that began in the next slot',
  );
  t.same(
    varying((slot) => (slot === 7 ? { lateMs: 100 } : {})),
    [],
  );
  const broken = (slot: number): Leak => (slot === 7 ? { headerBytes: 1 } : {});
  const fromMs = GRID.openMs + 7 * GRID.intervalMs;
  const { variances } = measured(broken, [{ fromMs, toMs: fromMs + GRID.intervalMs }]);
  t.equal(variances.requestBytes, 0, 'a slot in which the wire was cut is left out');
});

t.test('lanes that begin and end in different slots vary in nothing', async (t) => {
  const lanes = [...wire(), ...wire(() => ({ connection: 2 })).slice(5, -3)];
  const { variances, values } = invariantsOf(laneExchanges(lanes, DEVICE, BLOCK), GRID);
  t.equal(variances.exchanges, 0);
  t.equal(values.exchanges, 2);
});

t.test('the growth of the log', async (t) => {
  const heads = (origin: string, ...sizes: number[]) => sizes.map((size) => ({ origin, size }));
  t.equal(treeGrowthVariance(heads('a', 12_289, 1, 4097, 16_385, 8193)), 0);
  t.ok(treeGrowthVariance(heads('a', 1, 4097, 8193, 12_290, 16_386))! > 0, 'one leaf more with an event');
  t.equal(treeGrowthVariance(heads('a', 1, 4097, 8193)), null, 'too few heads');
  t.equal(treeGrowthVariance([...heads('a', 1, 4097, 8193), ...heads('b', 1, 4097)]), 0, 'an epoch begins anew');
  t.equal(variance([]), 0);
  t.equal(variance([1, 3]), 1);
});

/** A proof in which nothing is found, with changes. */
function proof(changes: Partial<Proof> = {}, auc = 0.5): Proof {
  const timing = { what: 'answer', pairs: 300, medianMs: 0.01, lowMs: -0.05, highMs: 0.07 };
  const finding = { name: 'uplink', slots: 20_000, asked: 10_000, pairsAsked: 300, auc, aucBound: 0.6 };
  const bits = { miBits: 0, miBound: 0.1, paired: [timing] };
  const clean = measured();
  return {
    findings: [{ ...finding, ...bits }],
    control: { ...finding, ...bits, name: 'naive', auc: 0.99 },
    invariants: { uplink: clean, downlink: clean, receiver: clean },
    treeGrowthVariance: 0,
    heads: [],
    ...changes,
  };
}

t.test('the verdict', async (t) => {
  t.match(judge(proof()), {
    verdict: 'ok',
    faults: [],
    auc: 0.5,
    controlAuc: 0.99,
    invariantVariance: 0,
    slots: 20_000,
  });
  t.match(judge(proof(), true), { verdict: 'ok', faults: [], pairedMs: 0.01 });
  t.match(judge(proof({}, 0.6)), { verdict: 'failed', faults: [/^uplink: eventful slots are told with AUC 0.6/] });
  const leaking = { ...proof().invariants, receiver: measured((slot) => (slot === 4 ? { headerBytes: 1 } : {})) };
  t.match(judge(proof({ invariants: leaking })), {
    verdict: 'failed',
    faults: [/^receiver: requestBytes varies/, /Header/],
  });
  t.match(judge(proof({ treeGrowthVariance: 0.25 })), { verdict: 'failed', faults: [/^the log's heads grow/] });
  t.match(judge(proof({ treeGrowthVariance: null })), { verdict: 'ok', treeGrowthVariance: null });
  const unseen = { ...proof().invariants, uplink: invariantsOf([], GRID) };
  t.match(judge(proof({ invariants: unseen })), { verdict: 'failed', faults: ['uplink: no slot was seen'] });
});

t.test('a run whose control is not found is void, whatever else it says', async (t) => {
  for (const auc of [0.9, 0.5, Number.NaN]) {
    t.match(judge(proof({ control: { ...proof().control, auc } })), { verdict: 'void', faults: [/^the naive sender/] });
  }
});

t.test('a long run has limits of its own', async (t) => {
  for (const auc of [0.47, 0.53])
    t.match(judge(proof({}, auc), true), { verdict: 'failed', faults: [/is not within/] });
  const [finding] = proof().findings;
  const timing = finding!.paired[0]!;
  for (const change of [{ lowMs: 0.001 }, { highMs: 0.26 }, { lowMs: -0.26 }, { lowMs: null, highMs: null }]) {
    const findings = [{ ...finding!, paired: [{ ...timing, ...change }] }];
    t.match(judge(proof({ findings }), true), { verdict: 'failed', faults: [/^uplink: answer differs/] });
    t.match(judge(proof({ findings })), { verdict: 'ok' }, 'timings of a short run are only printed');
  }
  const short = [{ ...finding!, slots: 19_999 }];
  t.match(judge(proof({ findings: short }), true), { faults: [/^19999 slots were watched/] });
  t.match(judge(proof({ treeGrowthVariance: null }), true), { faults: ['the growth of the log was not measured'] });
});
