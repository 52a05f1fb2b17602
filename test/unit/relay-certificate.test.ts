import { X509Certificate } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { PIN_PATTERN, pinOf, toBase64Url } from '../../protocol/text.ts';
import { ecdsaCertificate, mlDsaCertificate } from '../../relay/http/certificate.ts';
import { bitString, element, objectIdentifier } from '../../relay/http/der.ts';
import { cipherOrder, hasAesInstructions } from '../../relay/http/tls-options.ts';
import { readSeedFile, relayIdentity } from '../../relay/identity.ts';
import { seedOf } from '../fixtures/site.ts';

t.test('DER lengths and identifiers', async (t) => {
  const lengthOf = (bytes: number) =>
    element(0x04, Buffer.alloc(bytes))
      .subarray(1, -bytes || undefined)
      .toString('hex');
  t.equal(element(0x04).toString('hex'), '0400');
  t.same([127, 128, 255, 256, 65_535].map(lengthOf), ['7f', '8180', '81ff', '820100', '82ffff']);
  t.equal(objectIdentifier('1.2.840.10045.4.3.2').toString('hex'), '06082a8648ce3d040302');
  t.equal(bitString(Buffer.of(0x80), 7).toString('hex'), '03020780');
});

t.test('both certificates: parsed and verified by OpenSSL, the same bytes for the same seed', async (t) => {
  for (const [kind, make] of Object.entries({ 'ml-dsa-65': mlDsaCertificate, ec: ecdsaCertificate })) {
    const made = make(seedOf('relay'), 'relay-1');
    const certificate = new X509Certificate(made.certificatePem);
    t.equal(certificate.publicKey.asymmetricKeyType, kind);
    t.ok(certificate.verify(certificate.publicKey), `${kind}: signed by its own key`);
    t.ok(certificate.checkPrivateKey(made.key), kind);
    t.equal(certificate.subject, 'CN=relay-1');
    t.equal(certificate.issuer, 'CN=relay-1');
    t.equal(certificate.ca, false);
    t.equal(new Date(certificate.validFrom).getTime(), 0);
    t.equal(new Date(certificate.validTo).toISOString(), '9999-12-31T23:59:59.000Z');
    t.match(certificate.checkHost('localhost'), 'localhost');
    t.equal(made.pin, pinOf(certificate.publicKey.export({ format: 'der', type: 'spki' })));
    t.equal(make(seedOf('relay'), 'relay-1').certificatePem, made.certificatePem, `${kind}: deterministic`);
    t.not(make(seedOf('other'), 'relay-1').pin, made.pin);
  }
  t.throws(() => ecdsaCertificate(new Uint8Array(32), 'x'), { code: 'file-invalid' }, 'zero is no P-256 key');
});

t.test('one seed gives three keys that have nothing in common', async (t) => {
  const { tls, classic, logPin } = relayIdentity(engine, seedOf('relay'), 'relay-1');
  const pins = [tls.pin, classic.pin, logPin, mlDsaCertificate(seedOf('relay'), 'relay-1').pin];
  t.equal(new Set(pins).size, 4);
  for (const pin of pins) t.match(pin, PIN_PATTERN);
});

t.test('a seed file is private, and exactly a seed', async (t) => {
  const file = join(t.testdir(), 'seed');
  const text = toBase64Url(seedOf('relay'));
  await t.rejects(readSeedFile(file), { code: 'config-missing' });
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  t.same(Buffer.from(await readSeedFile(file)), Buffer.from(seedOf('relay')));
  for (const mode of [0o640, 0o604, 0o620]) {
    chmodSync(file, mode);
    await t.rejects(readSeedFile(file), { code: 'permissions-open' }, mode.toString(8));
  }
  chmodSync(file, 0o600);
  for (const wrong of ['', text.slice(1), `${text}A`, text.replace(/^./, '*'), 'x'.repeat(1000)]) {
    writeFileSync(file, wrong);
    await t.rejects(readSeedFile(file), { code: 'file-invalid' });
  }
});

t.test('the cipher order follows the processor', async (t) => {
  t.match(cipherOrder(hasAesInstructions('flags\t\t: fpu aes avx\n')), /^TLS_AES_256_GCM_SHA384:/);
  t.match(cipherOrder(hasAesInstructions('Features\t: fp asimd evtstrm crc32\n')), /^TLS_CHACHA20_POLY1305_SHA256:/);
  t.match(cipherOrder(hasAesInstructions('')), /^TLS_CHACHA20_POLY1305_SHA256:/);
});
