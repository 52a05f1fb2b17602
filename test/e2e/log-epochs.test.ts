/** Every epoch that is kept can be read below a path of its own, also after it ended, and its tail is proved. */
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import type { Call, ListenerConfig } from '../../protocol/config.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { parseTailProof, verifyTailProof } from '../../protocol/tail-proof.ts';
import { toHex } from '../../protocol/text.ts';
import { parseBundle } from '../../protocol/tile.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { runRelay } from '../fixtures/relay.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';
import { makeSite } from '../fixtures/site.ts';

const CALLS: readonly Call[] = ['register', 'checkpoint', 'tile', 'entries', 'ct-epoch', 'ct-proof', 'ct-log'];

t.setTimeout(60_000);

/** A relay whose log has an epoch of 304 leaves, the last 3 in no head of it, and the one after it. */
async function serving(t: Test) {
  const folder = blocksFolder(t);
  const earlier = startAudit({ folder });
  await earlier.pass(0);
  for (let i = 0; i < 300; i++) earlier.sequencer.record(ADOPTED);
  await earlier.pass(30_000);
  for (let i = 0; i < 3; i++) earlier.sequencer.record(ADOPTED);
  const now = startAudit({ folder });
  await now.pass(0);
  const listeners: ListenerConfig[] = [{ zone: 'management', address: '127.0.0.1', port: 0, tls: 'pq', calls: CALLS }];
  const devices = [{ name: 'auditor', roles: ['audit'], zone: 'management' }] as const;
  const site = makeSite({ directory: t.testdir(), config: { listeners }, devices, routes: [] });
  const { ask, registered } = await runRelay(t, site, { audit: now.sequencer });
  await registered(site.device('auditor'));
  const auditor = { authorization: `Bearer ${site.device('auditor').apiKey}` };
  const get = (path: string, headers: Record<string, string> = {}) => ask('management', { path, headers });
  const [ended, open] = now.sequencer.epochs;
  const below = (origin: string) => `/v2/ct/epochs/${toHex(engine.sha256(utf8(origin)))}`;
  return { ended: ended!, open: open!, at: below(ended!.origin), atOpen: below(open!.origin), get, auditor };
}

t.test('a closed epoch is read like the newest, and caches may keep what cannot change', async (t) => {
  const { ended, open, at, atOpen, get, auditor } = await serving(t);
  const checkpoint = await get(`${at}/checkpoint`);
  t.same(checkpoint.body, Buffer.from(ended.heads.at(-1)!.checkpoint));
  t.match(checkpoint.headers, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  t.same((await get(`${atOpen}/checkpoint`)).body, Buffer.from(open.heads.at(-1)!.checkpoint));

  const tile = await get(`${at}/tile/0/000`);
  t.equal(tile.body.length, 8192);
  t.match(tile.headers, {
    'content-type': 'application/octet-stream',
    'cache-control': 'public, max-age=31536000, immutable',
  });
  t.equal((await get(`${at}/tile/0/001.p/45`)).body.length, 45 * 32, 'of the last head');
  t.equal((await get(`${at}/tile/0/001.p/48`)).body.length, 48 * 32, 'with the tail');
  t.equal((await get('/tile/0/000.p/1')).headers['cache-control'], 'no-store');

  const statement = parseTlogProof((await get(`${at}/epoch`)).body);
  const { event, keys } = verifyEpoch(engine, statement.extra!, LOG_PIN);
  t.equal(event.obj.origin, ended.origin);
  verifyTlogProof(engine, statement, leafHash(engine, statement.extra!), ended.origin, keys);

  const log = await get(`/v2/ct/log?origin=${ended.origin}&from=300`, auditor);
  t.match(JSON.parse(log.body.toString()), { size: 304, from: 300, records: { length: 4 } });
});

t.test('entry bundles are for auditors, with gzip for who accepts it', async (t) => {
  const { at, get, auditor } = await serving(t);
  const plain = await get(`${at}/tile/entries/001.p/48`, auditor);
  t.match(plain.headers, {
    'content-type': 'application/octet-stream',
    'cache-control': 'private, max-age=31536000, immutable',
    vary: 'accept-encoding',
  });
  t.equal(parseBundle(plain.body, 48).length, 48);
  for (const accepted of ['gzip', 'br, GZIP;q=0.5', 'gzip ; q=1.0']) {
    const packed = await get(`${at}/tile/entries/001.p/48`, { ...auditor, 'accept-encoding': accepted });
    t.equal(packed.headers['content-encoding'], 'gzip', accepted);
    t.same(gunzipSync(packed.body), plain.body, accepted);
    t.equal(Number(packed.headers['content-length']), packed.body.length);
  }
  for (const refused of ['identity', 'gzip;q=0', 'gzip;q=0.0', 'x-gzip']) {
    const same = await get(`${at}/tile/entries/001.p/48`, { ...auditor, 'accept-encoding': refused });
    t.equal(same.headers['content-encoding'], undefined, refused);
    t.same(same.body, plain.body);
  }
  t.ok((await get(`${at}/tile/entries/001.p/48`)).body.equals(NOT_AVAILABLE), 'not for a stranger');
});

t.test('what follows the last head of an epoch is proved by the next one', async (t) => {
  const { ended, at, atOpen, get, auditor } = await serving(t);
  const bundle = await get(`${at}/tile/entries/001.p/48`, auditor);
  const last = parseBundle(bundle.body, 48).at(-1)!;
  const answer = await get(`${at}/tail?index=303`);
  t.match(answer.headers, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  t.match(verifyTailProof(engine, parseTailProof(answer.body), leafHash(engine, last), LOG_PIN), { tailSize: 304 });
  const growth = parseTailProof((await get(`${at}/tail`)).body);
  t.match(verifyTailProof(engine, growth, ended.heads.at(-1)!.root, LOG_PIN), { lastSignedSize: 301 });
  const paths = [
    `${at}/tail?index=304`,
    `${at}/tail?index=01`,
    `${at}/tail?from=3`,
    `${atOpen}/tail`,
    `${atOpen}/tail?index=0`,
    `${at}/checkpoint?x=1`,
    `${at}/epoch?origin=x`,
    `${at}/tile/0/001.p/49`,
    `${at}/tile/0/001`,
    `${at}/tile/1/000.p/2`,
    `${at.toUpperCase()}/checkpoint`,
    `${at.slice(0, -1)}/checkpoint`,
    `${at.slice(0, -64)}/checkpoint`,
    `${at.slice(0, -64)}${'0'.repeat(64)}/checkpoint`,
    `${at.slice(0, -64)}__proto__/epoch`,
    `${at}/log`,
    at,
  ];
  for (const path of paths) t.ok((await get(path)).body.equals(NOT_AVAILABLE), path);
});
