/** What clients keep on disk: files, the profile, the device folder, the last run. */
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { NO_RUN, runStartedMs } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import { checkApiKey, deviceOf, makeDeviceSecrets, readApiKey, readEnrolment } from '../../tools/lib/device.ts';
import { readFileBounded, readSecretFile, writeFileAtomic } from '../../tools/lib/files.ts';
import { readProfile, writeProfile } from '../../tools/lib/profile.ts';
import { beginRun } from '../../tools/sender/run-state.ts';
import { addProfile, enrol } from '../fixtures/clients.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';
import { makeSite, seedOf } from '../fixtures/site.ts';

const PIN = `sha256/${'A'.repeat(43)}`;

t.test('a file is replaced whole, private, and nothing is left beside it', async (t) => {
  const folder = t.testdir({ here: {} });
  const path = join(folder, 'new', 'deep', 'file');
  writeFileAtomic(path, 'one');
  writeFileAtomic(path, new Uint8Array([1, 2]));
  sameBytes(t, readFileSync(path), Uint8Array.of(1, 2));
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(statSync(join(folder, 'new')).mode & 0o777, 0o700);
  t.strictSame(readdirSync(join(folder, 'new', 'deep')), ['file']);
  t.throws(() => writeFileAtomic(join(folder, 'here'), 'x'), { code: 'EISDIR' });
  t.strictSame(readdirSync(folder).sort(), ['here', 'new'], 'nothing is left of a failure');
});

t.test('reading is bounded and of regular files only', async (t) => {
  const folder = t.testdir({ file: '12345', folder: {} });
  const path = join(folder, 'file');
  t.equal(readFileBounded(join(folder, 'none'), 5), null);
  t.equal(readFileBounded(join(path, 'none'), 5), null, 'below a file');
  sameBytes(t, readFileBounded(path, 5)!, Buffer.from('12345'));
  refuses(t, 'file-invalid', () => readFileBounded(path, 4));
  refuses(t, 'file-invalid', () => readFileBounded(join(folder, 'folder'), 5));
  symlinkSync('loop', join(folder, 'loop'));
  refuses(t, 'file-invalid', () => readFileBounded(join(folder, 'loop'), 5));
});

t.test('a secret must be closed to others', async (t) => {
  const path = join(t.testdir({ secret: 'pgp' }), 'secret');
  for (const mode of [0o640, 0o604, 0o601, 0o660]) {
    chmodSync(path, mode);
    refuses(t, 'permissions-open', () => readSecretFile(path, 10), mode.toString(8));
  }
  chmodSync(path, 0o400);
  sameBytes(t, readSecretFile(path, 10)!, Buffer.from('pgp'));
});

t.test('profiles: written beside each other, read back, refused when missing or wrong', async (t) => {
  const folder = t.testdir();
  const site = makeSite({ directory: folder, devices: [], routes: [] });
  refuses(t, 'profile-missing', () => readProfile(folder, 'iot'));
  const iot = addProfile(folder, 'iot', site, 'https://127.0.0.1:3000', PIN);
  addProfile(folder, 'it', site, 'https://[::1]:3001', PIN);
  t.strictSame(readProfile(folder, 'iot'), iot);
  t.throws(() => readProfile(folder, 'toString'), { message: /no relay profile "toString" \(it has: iot, it\)/ });
  for (const url of ['http://127.0.0.1:1', 'https://a/b', 'https://u@h:1']) {
    refuses(t, 'schema-invalid', () => writeProfile(folder, 'bad', { ...iot, url }), url);
  }
  for (const text of [
    'profiles: 7',
    'a: b',
    'profiles: {iot: {url: x}}',
    '{',
    'profiles: &a {x: *a}',
    '? '.repeat(1000),
  ]) {
    writeFileSync(join(folder, 'config.yaml'), text);
    refuses(t, 'config-invalid', () => readProfile(folder, 'iot'), text);
  }
});

t.test('a device folder gives back the device that was written', async (t) => {
  const folder = t.testdir();
  const site = makeSite({
    directory: folder,
    devices: [{ name: 'plc-A1', roles: ['send'], zone: 'ot' }],
    routes: [],
  });
  const made = site.device('plc-A1');
  enrol(folder, site, made);
  const own = join(folder, 'devices', 'plc-A1');
  const { device, grant, apiKey, rosterBytes } = readEnrolment(engine, own);
  t.equal(device.did, made.did);
  t.strictSame(device.identity, made.identity);
  t.equal(device.generation, 1);
  t.strictSame(device.kemKey(made.recipient.keyId)?.publicKey, made.kemKey.publicKey);
  t.equal(device.kemKey(new Uint8Array(16)), undefined);
  t.strictSame([grant, apiKey], [made.grant, made.apiKey]);
  sameBytes(t, rosterBytes, site.rosterBytes);
  t.equal(readEnrolment(engine, own, `pgp_${'B'.repeat(43)}`).apiKey, `pgp_${'B'.repeat(43)}`);
  for (const name of ['identity.json', 'kem.json', 'api-key']) t.equal(statSync(join(own, name)).mode & 0o777, 0o600);

  writeFileSync(join(own, 'kem.json'), '{"v":1,"keys":[]}');
  refuses(t, 'file-invalid', () => readEnrolment(engine, own));
  refuses(t, 'identity-missing', () => readEnrolment(engine, join(folder, 'devices', 'nobody')));
});

t.test('parts of a device folder that are missing or open are named', async (t) => {
  const folder = t.testdir();
  const site = makeSite({ directory: folder, devices: [{ name: 'a', roles: ['send'], zone: 'ot' }], routes: [] });
  enrol(folder, site, site.device('a'));
  const own = join(folder, 'devices', 'a');
  chmodSync(join(own, 'identity.json'), 0o644);
  refuses(t, 'permissions-open', () => readEnrolment(engine, own));
  chmodSync(join(own, 'identity.json'), 0o600);
  for (const name of ['grant.json', 'roster.json']) {
    const text = readFileSync(join(own, name));
    writeFileSync(join(own, name), 'x'.repeat(2_000_000));
    refuses(t, 'file-invalid', () => readEnrolment(engine, own), name);
    writeFileSync(join(own, name), text);
  }
  refuses(t, 'key-missing', () => readApiKey(join(own, 'none')));
  t.throws(() => checkApiKey('pgp_short-secret', '--key'), { message: /^key-missing: (?!.*short-secret)/ });
});

t.test('the newest generation is stated, the older ones still open', async (t) => {
  const { identity, kem } = makeDeviceSecrets(engine, 'plc');
  const older = { ...kem.keys[0]!, generation: 1 };
  const newer = { ...makeDeviceSecrets(engine, 'plc').kem.keys[0]!, generation: 2 };
  const device = deviceOf(engine, identity, { v: 1, keys: [newer, older] });
  t.equal(device.generation, 2);
  t.match(device.keyStatement, { signed: { generation: 2 } });
  for (const keys of [[older], [newer]]) {
    const { keyStatement } = deviceOf(engine, identity, { v: 1, keys });
    const { keyId } = (keyStatement as { signed: { keyId: string } }).signed;
    t.ok(device.kemKey(Buffer.from(keyId, 'base64url')));
  }
});

t.test('each start is a later run, even when the wall clock went back', async (t) => {
  const folder = t.testdir();
  const [stream, random] = [seedOf('stream').subarray(0, 16), new Uint8Array(8)];
  const first = beginRun(folder, stream, 1_000_000, random);
  t.strictSame(first.previousRun, NO_RUN);
  t.equal(runStartedMs(first.run), 1_000_000);
  const second = beginRun(folder, stream, 5, random);
  sameBytes(t, second.previousRun, first.run);
  t.equal(runStartedMs(second.run), 1_000_001);
  t.equal(runStartedMs(beginRun(folder, seedOf('other').subarray(0, 16), 5, random).run), 5, 'each stream by itself');
  writeFileSync(join(folder, 'sender', `${toHex(stream)}.json`), 'x');
  refuses(t, 'file-invalid', () => beginRun(folder, stream, 5, random));
});
