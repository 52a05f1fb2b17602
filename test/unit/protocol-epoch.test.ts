import { createHash } from 'node:crypto';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { signEpoch, verifyEpoch } from '../../protocol/epoch.ts';
import { encodeLogRecord } from '../../protocol/log-record.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { relayIdentity } from '../../relay/identity.ts';
import { epochEvent, logKeys, logPinOf, logRecords, logSigners, ORIGIN } from '../fixtures/log.ts';
import { logEvents } from '../fixtures/log-events.ts';
import { coins, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

interface Opening {
  obj: { signature?: string; keys: Record<string, string>; [field: string]: unknown };
  [field: string]: unknown;
}

const signers = logSigners(engine, 'one');
const pin = logPinOf(signers);
const bytes = signEpoch(engine, signers, epochEvent());
const parsed = () => JSON.parse(Buffer.from(bytes).toString()) as Opening;

t.test('the pin is that of the relay identity', async (t) => {
  const { logPin } = relayIdentity(engine, seed('relay'), 'relay-1');
  const logSeed = engine.hkdf(seed('relay'), new Uint8Array(0), utf8('ghostpipe/seed-log/v1'), 32);
  const key = engine.singleKey('ml-dsa-65', logSeed);
  t.equal(logPinOf({ ...signers, 'ml-dsa-65': key }), logPin);
});

t.test('an epoch statement gives the keys of the epoch', async (t) => {
  const { event, keys } = verifyEpoch(engine, bytes, pin);
  t.equal(event.obj.origin, ORIGIN);
  t.equal(event.i, 0);
  for (const [algorithm, key] of Object.entries(logKeys(signers))) sameBytes(t, keys[algorithm as 'ed25519'], key);
  const other = portableEngine(coins('portable'));
  verifyEpoch(other, bytes, pin);
  verifyEpoch(engine, signEpoch(other, logSigners(other, 'one'), epochEvent()), pin);
});

t.test('its signature covers the whole log record', async (t) => {
  const record = parsed();
  const signature = Buffer.from(record.obj.signature!, 'base64url');
  delete record.obj.signature;
  const digest = createHash('sha256').update('ghostpipe/log-epoch/v1').update(canonicalBytes(record)).digest();
  const context = utf8('ghostpipe/log-epoch/v1');
  t.ok(ml_dsa65.verify(signature, digest, logKeys(signers)['ml-dsa-65'], { context }));
  const changes: [string, (value: Opening) => void][] = [
    ['the time', (value) => Object.assign(value, { t: 1 })],
    ['the nonce', (value) => Object.assign(value, { n: 'A'.repeat(22) })],
    ['the source', (value) => Object.assign(value, { src: { id: 'relay-2', k: 'relay' } })],
    ['the origin', (value) => Object.assign(value.obj, { origin: 'other' })],
    ['the software', (value) => Object.assign(value.obj, { software: '0.0.9' })],
    ['an image', (value) => Object.assign(value.obj, { image: toBase64Url(seed('image')) })],
    [
      'the configuration',
      (value) => Object.assign(value.obj, { config: { hash: toBase64Url(seed('x')), version: 3 } }),
    ],
    ['a key', (value) => Object.assign(value.obj.keys, { ed25519: toBase64Url(seed('key')) })],
    [
      'the signature',
      (value) =>
        Object.assign(value.obj, {
          signature: value.obj.signature!.replace(/^./, (first) => (first === 'x' ? 'y' : 'x')),
        }),
    ],
  ];
  for (const [what, change] of changes) {
    const value = parsed();
    change(value);
    refuses(t, 'log-epoch-invalid', () => verifyEpoch(engine, canonicalBytes(value), pin), what);
  }
});

t.test('another key, another record', async (t) => {
  const stranger = logSigners(engine, 'stranger');
  refuses(t, 'log-epoch-invalid', () => verifyEpoch(engine, bytes, logPinOf(stranger)), 'another pin');
  const foreign = signEpoch(engine, stranger, epochEvent());
  refuses(t, 'log-epoch-invalid', () => verifyEpoch(engine, foreign, pin), 'another log key');
  const [, record] = logRecords(engine, signers, 2);
  refuses(t, 'log-epoch-invalid', () => verifyEpoch(engine, record!, pin), 'a log record of another action');
});

t.test('the epoch before', async (t) => {
  const opening = logEvents().find((event) => event.act === 'log.epoch.open')!;
  if (opening.act !== 'log.epoch.open') return;
  const withPrevious = (prev: unknown) =>
    encodeLogRecord({ ...opening, obj: { ...opening.obj, prev } } as typeof opening);
  for (const source of ['tmpfs', 'stick', 'server', 'operator']) withPrevious({ ...opening.obj.prev, source });
  withPrevious({ source: 'none' });
  for (const prev of [null, 1, {}, { ...opening.obj.prev, source: 'none' }, { source: 'stick' }]) {
    refuses(t, 'schema-invalid', () => withPrevious(prev), JSON.stringify(prev));
  }
});
