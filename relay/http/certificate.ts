/**
 * The relay's own X.509 certificates (RFC 5280), self-signed and deterministic: the same key and name give the same
 * bytes at each boot. Clients pin the key and read nothing else, so the dates are the widest that the format has.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { Problem } from '../../protocol/problem.ts';
import { pinOf } from '../../protocol/text.ts';
import {
  bitString,
  element,
  generalizedTime,
  objectIdentifier,
  octetString,
  positiveInteger,
  sequence,
  set,
  utcTime,
  utf8String,
  yes,
} from './der.ts';

const ML_DSA_65 = '2.16.840.1.101.3.4.3.18';
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2';

/** A key pair with the certificate that shows it. */
export interface Certified {
  readonly key: KeyObject;
  readonly certificatePem: string;
  /** `sha256/` pin of the SubjectPublicKeyInfo. */
  readonly pin: string;
}

/** The ML-DSA-65 key (FIPS 204) of a 32-byte seed. */
export function mlDsaKey(seed: Uint8Array): KeyObject {
  const prefix = Buffer.from('3034020100300b06096086480165030403120422' + '8020', 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
}

/** DER SubjectPublicKeyInfo of a private key's public half. */
export function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' });
}

/** The certificate of an ML-DSA-65 seed (RFC 9881). Signed deterministically, which node:crypto does not offer. */
export function mlDsaCertificate(seed: Uint8Array, commonName: string): Certified {
  const { secretKey } = ml_dsa65.keygen(seed);
  const sign = (tbs: Uint8Array) => ml_dsa65.sign(tbs, secretKey, { extraEntropy: false });
  const certified = selfSigned(mlDsaKey(seed), ML_DSA_65, commonName, sign);
  secretKey.fill(0);
  return certified;
}

/** The certificate of an ECDSA P-256 seed, for monitoring tools without post-quantum TLS. Signed by RFC 6979. */
export function ecdsaCertificate(seed: Uint8Array, commonName: string): Certified {
  if (!p256.utils.isValidSecretKey(seed)) throw new Problem('file-invalid', 'the seed gives no P-256 key');
  const point = p256.getPublicKey(seed, false);
  const part = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', d: part(seed), x: part(point.subarray(1, 33)), y: part(point.subarray(33)) };
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return selfSigned(key, ECDSA_WITH_SHA256, commonName, (tbs) =>
    p256.sign(tbs, seed, { format: 'der', extraEntropy: false }),
  );
}

function selfSigned(
  key: KeyObject,
  algorithmId: string,
  commonName: string,
  sign: (tbs: Uint8Array) => Uint8Array,
): Certified {
  const spki = spkiOf(key);
  const algorithm = sequence(objectIdentifier(algorithmId));
  const name = sequence(set(sequence(objectIdentifier('2.5.4.3'), utf8String(commonName))));
  const tbs = sequence(
    element(0xa0, positiveInteger(Buffer.of(2))), // version 3
    positiveInteger(serialOf(spki)),
    algorithm,
    name,
    sequence(utcTime('700101000000Z'), generalizedTime('99991231235959Z')),
    name,
    spki,
    element(0xa3, extensions(commonName)),
  );
  const der = sequence(tbs, algorithm, bitString(sign(tbs)));
  return { key, certificatePem: pem(der), pin: pinOf(spki) };
}

/** Sixteen bytes of the key's hash, made a positive integer of full length. */
function serialOf(spki: Uint8Array): Buffer {
  const serial = createHash('sha256').update(spki).digest().subarray(0, 16);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}

/** Not a CA; digital signature only; server authentication; names for tools that insist on one. */
function extensions(commonName: string): Buffer {
  const dnsName = (text: string) => element(0x82, Buffer.from(text));
  const ipAddress = (bytes: Uint8Array) => element(0x87, bytes);
  return sequence(
    sequence(objectIdentifier('2.5.29.19'), yes(), octetString(sequence())),
    sequence(objectIdentifier('2.5.29.15'), yes(), octetString(bitString(Buffer.of(0x80), 7))),
    sequence(objectIdentifier('2.5.29.37'), octetString(sequence(objectIdentifier('1.3.6.1.5.5.7.3.1')))),
    sequence(
      objectIdentifier('2.5.29.17'),
      octetString(sequence(dnsName(commonName), dnsName('localhost'), ipAddress(Buffer.of(127, 0, 0, 1)))),
    ),
  );
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
