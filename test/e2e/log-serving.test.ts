/** The calls of the audit log over real listeners: who may read what, and programs that are not ours read it too. */
import Parser from 'rss-parser';
import t, { type Test } from 'tap';
import { parseAddCheckpoint, verifyAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import type { Call, ListenerConfig } from '../../protocol/config.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { toHex } from '../../protocol/text.ts';
import { parseBundle, tileOfEntries } from '../../protocol/tile.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { buildChecker } from '../fixtures/checker.ts';
import { logKeys, logSigners, ORIGIN, SECONDS, treeOf } from '../fixtures/log.ts';
import { smallLog } from '../fixtures/log-view.ts';
import { seed } from '../fixtures/protocol.ts';
import { runRelay } from '../fixtures/relay.ts';
import { flipped, run, type Sabotage, sabotaged } from '../fixtures/sabotaged-log.ts';
import { makeSite } from '../fixtures/site.ts';

const CALLS: readonly Call[] = [
  'register',
  'checkpoint',
  'tile',
  'entries',
  'ct-epoch',
  'ct-sth',
  'ct-sth-history',
  'ct-proof',
  'ct-consistency',
  'ct-log',
  'ct-feed',
];
const keys = logKeys(logSigners(engine, 'small log'));

t.setTimeout(120_000);

/** A relay that serves a log of the given heads, a registered auditor, and a plain listener on loopback. */
async function serving(t: Test, sizes: readonly number[]) {
  const loopback = { zone: 'management', address: '127.0.0.1', port: 0 } as const;
  const listeners: ListenerConfig[] = [
    { ...loopback, tls: 'pq', calls: CALLS },
    { ...loopback, tls: 'off', calls: CALLS.filter((call) => call !== 'register') },
  ];
  const site = makeSite({
    directory: t.testdir(),
    config: { listeners },
    devices: [
      { name: 'auditor', roles: ['audit'], zone: 'management' },
      { name: 'reader', roles: ['receive'], zone: 'management' },
    ],
    routes: [],
  });
  const audit = smallLog(engine, sizes);
  const { relay, ask, registered } = await runRelay(t, site, { audit });
  for (const name of ['auditor', 'reader']) await registered(site.device(name));
  const get = (path: string, headers: Record<string, string> = {}) => ask('management', { path, headers });
  const as = (name: string) => ({ authorization: `Bearer ${site.device(name).apiKey}` });
  return { audit, get, as, plain: `http://127.0.0.1:${relay.listeners[1]!.port}` };
}

t.test('proofs around the edges of tiles verify', async (t) => {
  for (const size of [1, 2, 255, 256, 257]) {
    const old = Math.max(1, size - 1);
    const { audit, get } = await serving(t, old === size ? [size] : [old, size]);
    for (const index of new Set([0, Math.floor(size / 2), size - 1])) {
      const proof = parseTlogProof((await get(`/v2/ct/proof?index=${index}`)).body);
      verifyTlogProof(engine, proof, leafHash(engine, audit.records[index]!), ORIGIN, keys);
      t.equal(proof.extra !== undefined, index === 0, `only the epoch statement is public (${index} of ${size})`);
    }
    for (const from of new Set([0, 1, old, size])) {
      const body = (await get(`/v2/ct/consistency?from=${from}`)).body;
      const oldRoot = treeOf(engine, audit.records.slice(0, from)).root();
      t.equal(verifyAddCheckpoint(engine, parseAddCheckpoint(body), oldRoot, ORIGIN, keys).head.size, size);
    }
    const earlier = parseAddCheckpoint((await get(`/v2/ct/consistency?from=1&to=${old}`)).body);
    t.ok(equalBytes(earlier.checkpoint, audit.epoch.heads[0]!.checkpoint));
  }
});

t.test('heads, tiles and statements are what the log holds', async (t) => {
  const { audit, get, as } = await serving(t, [5, 300]);
  const head = audit.epoch.heads.at(-1)!;
  t.ok(equalBytes((await get('/checkpoint')).body, head.checkpoint));
  t.match(JSON.parse((await get('/v2/ct/sth')).body.toString()), { origin: ORIGIN, size: 300, seconds: SECONDS });
  t.match(JSON.parse((await get('/v2/ct/sth?size=5')).body.toString()), { size: 5 });
  t.match(JSON.parse((await get('/v2/ct/sth/history')).body.toString()).heads, [{ size: 300 }, { size: 5 }]);
  const epoch = JSON.parse((await get('/v2/ct/epoch', { accept: 'application/json' })).body.toString());
  t.same(epoch.verifierKeys, audit.epoch.verifierKeys);
  t.equal(epoch.statement, Buffer.from(audit.records[0]!).toString());
  const transfer = toHex(seed('transfer 7').subarray(0, 16));
  t.equal(parseTlogProof((await get(`/v2/ct/proof?xfer=${transfer}`)).body).index, 7);
  const proof = JSON.parse(
    (await get(`/v2/ct/proof?xfer=${transfer}`, { accept: 'application/json' })).body.toString(),
  );
  t.equal(proof.leaf, Buffer.from(leafHash(engine, audit.records[7]!)).toString('base64'));

  const tile = await get('/tile/0/000');
  t.ok(equalBytes(tile.body, tileOfEntries(engine, audit.records.slice(0, 256))));
  t.equal(tile.headers['cache-control'], 'no-store');
  t.ok(
    equalBytes((await get('/tile/0/000.p/5')).body, tile.body.subarray(0, 160)),
    'a partial tile of an earlier head',
  );
  t.equal((await get('/tile/0/001.p/44')).body.length, 44 * 32);
  t.same(
    texts(parseBundle((await get('/tile/entries/001.p/44', as('auditor'))).body, 44)),
    texts(audit.records.slice(256)),
  );
  const part = await get('/tile/entries/000.p/5', as('auditor'));
  t.same(texts(parseBundle(part.body, 5)), texts(audit.records.slice(0, 5)));
  const log = JSON.parse((await get('/v2/ct/log?from=250&limit=10', as('auditor'))).body.toString());
  t.same(log.records, texts(audit.records.slice(250, 260)));
});

t.test('everything else is refused alike, and records to all but auditors', async (t) => {
  const { get, as } = await serving(t, [5, 300]);
  const paths = [
    '/checkpoint?x=1',
    '/tile/0/000.p/256',
    '/tile/0/000.p/05',
    '/tile/0/001',
    '/tile/0/001.p/45',
    '/tile/1/001',
    '/tile/9/000',
    '/tile/0/..%2f000',
    '/v2/ct/epoch?origin=relay-2',
    '/v2/ct/sth?size=6',
    '/v2/ct/proof',
    '/v2/ct/proof?index=300',
    '/v2/ct/proof?index=01',
    '/v2/ct/proof?index=1&index=2',
    '/v2/ct/proof?index=-1',
    '/v2/ct/proof?index=9007199254740992',
    `/v2/ct/proof?index=1&xfer=${'0'.repeat(32)}`,
    `/v2/ct/proof?xfer=${'0'.repeat(32)}`,
    '/v2/ct/proof?xfer=__proto__',
    '/v2/ct/consistency',
    '/v2/ct/consistency?from=301',
    '/v2/ct/consistency?from=1&to=6',
    `/v2/ct/epoch?origin=${'x'.repeat(2000)}`,
  ];
  for (const path of paths) t.ok((await get(path)).body.equals(NOT_AVAILABLE), path);
  for (const path of ['/tile/entries/000', '/v2/ct/log', '/tile/entries/001.p/44']) {
    t.ok((await get(path)).body.equals(NOT_AVAILABLE), `${path} to a stranger`);
    t.ok((await get(path, as('reader'))).body.equals(NOT_AVAILABLE), `${path} to another role`);
    t.equal((await get(path, as('auditor'))).status, 200, `${path} to an auditor`);
  }
  for (const query of ['limit=0', 'limit=257', 'from=300', 'from=-1']) {
    t.ok((await get(`/v2/ct/log?${query}`, as('auditor'))).body.equals(NOT_AVAILABLE), query);
  }
});

t.test('a feed library reads the feed, notes verbatim', async (t) => {
  const { audit, plain } = await serving(t, [1, 2, 3]);
  const parser = new Parser();
  const { title, description, items } = await parser.parseURL(`${plain}/v2/ct/feed.xml`);
  t.equal(title, 'Signed tree heads of relay-1');
  t.match(description, /Audit mode: best-effort\.$/);
  t.same(
    items.map(({ guid, content, isoDate }) => [guid, content, Date.parse(isoDate!)]),
    audit.epoch.heads
      .toReversed()
      .map(({ size, checkpoint }) => [
        `${ORIGIN}#${size}@${SECONDS}`,
        Buffer.from(checkpoint).toString(),
        SECONDS * 1000,
      ]),
  );
});

t.test('feedparser reads the feed, notes verbatim', async (t) => {
  const { audit, plain } = await serving(t, [1, 2, 3]);
  const script =
    'import feedparser, json, sys; f = feedparser.parse(sys.argv[1]); ' +
    'print(json.dumps([f.bozo, f.version, [[e.id, e.description] for e in f.entries]]))';
  const { code, out, err } = await run('/usr/bin/python3', ['-c', script, `${plain}/v2/ct/feed.xml`]);
  t.equal(code, 0, err);
  const items = audit.epoch.heads
    .toReversed()
    .map(({ size, checkpoint }) => [`${ORIGIN}#${size}@${SECONDS}`, Buffer.from(checkpoint).toString().trim()]);
  t.same(JSON.parse(out), [false, 'rss20', items]);
});

t.test('a checker that is not ours holds a live log, and no answer that was changed', async (t) => {
  const { audit, as, plain } = await serving(t, [5, 300]);
  const checker = buildChecker(t.testdir());
  const key = audit.epoch.verifierKeys[2]!;
  const apiKey = as('auditor').authorization.slice('Bearer '.length);
  const honest = await checker(plain, key, apiKey);
  t.match(honest, { code: 0, out: '300 leaves hold\n' }, honest.err);
  t.match(await checker(plain, key), { code: 0 }, 'without records, without a key');

  const sabotages: readonly [what: string, ...Sabotage][] = [
    ['a forged line', /^\/checkpoint/, (body) => flipped(body, body.length - 20)],
    ['an edited record', /^\/tile\/entries\/000/, (body) => flipped(body, 700)],
    ['a wrong root', /^\/checkpoint/, (body) => flipped(body, body.indexOf('\n300\n') + 8)],
    ['a missing tile', /^\/tile\/0\/001/, () => null],
    ['a changed tile', /^\/tile\/0\/000/, (body) => flipped(body, 100)],
    ['the proof of another leaf', /^\/v2\/ct\/proof/, (body) => flipped(body, body.indexOf('index ') + 12)],
    ['another past', /^\/v2\/ct\/consistency/, (body) => flipped(body, 12)],
  ];
  for (const [what, path, change] of sabotages) {
    const lying = await sabotaged(t, plain, [path, change]);
    t.match(await checker(lying, key, apiKey), { code: 1, err: /\S/ }, what);
  }
});

function texts(records: readonly Uint8Array[]): string[] {
  return records.map((record) => Buffer.from(record).toString());
}
