/**
 * Signed documents, each in two ways: the bytes as they arrive, and bodies that the right key signed after they were
 * changed, so that what stands behind the signatures is reached too.
 */
import { utf8 } from '../../../protocol/bytes.ts';
import { canonicalBytes, canonicalText, type Json, parseCanonical, parseJson } from '../../../protocol/canonical.ts';
import type { SigningKey } from '../../../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { GRANT } from '../../../protocol/grant.ts';
import { didDocument, didOf, digestOf, identityDocument, keysOfIdentity } from '../../../protocol/identity.ts';
import { KEY_STATEMENT, openKeyStatement } from '../../../protocol/key-statement.ts';
import { asProblem, Problem } from '../../../protocol/problem.ts';
import { openRegistration, REGISTRATION_LIMIT } from '../../../protocol/registration.ts';
import { REVOCATION } from '../../../protocol/revocation.ts';
import { openRoster, ROSTER, routeOf, sendersTo } from '../../../protocol/roster.ts';
import { check } from '../../../protocol/shape.ts';
import { openDocument, signDocument } from '../../../protocol/signed.ts';
import { fromBase64Url, fromHex, toBase64Url, toHex } from '../../../protocol/text.ts';
import type { Site } from '../../fixtures/site.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import { jsonMutator as mutate } from '../mutate-json.ts';
import { requireSame, type Target } from '../target.ts';

/** Most bytes of a document that is no roster. */
const LIMIT = 16_384;
const NO_SIGNATURES: Json = { ed25519: 'A'.repeat(86), mldsa65: 'A'.repeat(4412) };

export function documentTargets(site: Site): Target[] {
  const device = site.device('plc-A1');
  const operatorKeys = site.operator.publicKeys;
  const rosterTrust = { operatorKeyHash: site.operatorKeyHash, siteId: site.siteId, minVersion: 0 };
  const revocation = signDocument(engine, site.operator, REVOCATION, {
    v: 1,
    siteId: site.siteId,
    serial: 1,
    by: 'operator',
    did: device.did,
    what: 'api-key',
    issuedMs: 0,
    apiKeyHash: toBase64Url(engine.sha256(utf8('key'))),
  });
  const openStatement = (value: Json) => openKeyStatement(engine, value, device.did, device.signer.publicKeys, 1);
  return [
    { name: 'json', seeds: [site.rosterBytes, canonicalBytes(device.grant)], mutate, run: runJson },
    {
      name: 'texts',
      seeds: texts(device.did),
      mutate: bytesMutator(['did:paramant:', '1', '=']),
      run: runTexts,
    },
    { name: 'identity', seeds: [canonicalBytes(device.identity)], mutate, run: runIdentity(device.did) },
    ...signed('grant', device.grant, GRANT.label, site.operator, (value) =>
      openDocument(engine, GRANT, value, () => operatorKeys),
    ),
    ...signed('revocation', revocation, REVOCATION.label, site.operator, (value) =>
      openDocument(engine, REVOCATION, value, () => operatorKeys),
    ),
    ...signed('key-statement', device.keyStatement, KEY_STATEMENT.label, device.signer, openStatement),
    ...rosters(site, rosterTrust),
    ...registrations(site),
  ];
}

/** A document whose signed part must come out as it went in. */
function signed(
  name: string,
  document: Json,
  label: string,
  signer: SigningKey,
  open: (document: Json) => object,
): Target[] {
  const runBytes = (input: Uint8Array): void => {
    open(parseCanonical(input, LIMIT));
  };
  const runSigned = (input: Uint8Array): void => {
    openSigned(parseJson(input, LIMIT), label, signer, open);
  };
  return [
    { name, seeds: [canonicalBytes(document)], mutate, run: runBytes },
    { name: `${name}-signed`, seeds: [canonicalBytes(bodyOf(document))], mutate, run: runSigned },
  ];
}

function rosters(site: Site, trust: Parameters<typeof openRoster>[2]): Target[] {
  const full = site.issueRoster({
    groups: { all: site.roster.devices.map(({ name }) => name) },
    routes: [{ from: 'plc-A1', to: ['all', 'historian'], views: 1 }],
    cosigners: [{ name: 'witness', key: 'witness+0+0' }],
    revocations: [{ did: didOf(new Uint8Array(32)), what: 'device' }],
  });
  const use = (document: Json): object => {
    const roster = openRoster(engine, canonicalBytes(document), trust);
    for (const { from } of roster.routes) tolerate(() => routeOf(roster, from), 'not-routed');
    for (const { name } of roster.devices.slice(0, 4)) sendersTo(roster, name);
    return roster;
  };
  const seeds = [site.rosterBytes, full];
  const bodies = seeds.map((bytes) => canonicalBytes(bodyOf(parseCanonical(bytes, ROSTER.limit))));
  return [
    { name: 'roster', seeds, mutate, run: (input) => void openRoster(engine, input, trust) },
    {
      name: 'roster-signed',
      seeds: bodies,
      mutate,
      run: (input) => openSigned(parseJson(input, ROSTER.limit), ROSTER.label, site.operator, use),
    },
  ];
}

function registrations(site: Site): Target[] {
  const device = site.device('plc-A1');
  const trust = { operatorKeys: site.operator.publicKeys, siteId: site.siteId };
  const open = (value: Json): object => openRegistration(engine, value, trust);
  const bodies = { identity: device.identity, grant: bodyOf(device.grant), keyStatement: bodyOf(device.keyStatement) };
  const runSigned = (input: Uint8Array): void => {
    const value = parseJson(input, REGISTRATION_LIMIT);
    const { grant = null, keyStatement = null } = (value ?? {}) as { grant?: Json; keyStatement?: Json };
    const [signedGrant, signedStatement] = [
      sign(grant, GRANT.label, site.operator),
      sign(keyStatement, KEY_STATEMENT.label, device.signer),
    ];
    open({ ...(value as object), grant: signedGrant, keyStatement: signedStatement } as Json);
  };
  return [
    {
      name: 'registration',
      seeds: [canonicalBytes(device.registration)],
      mutate,
      run: (input) => void open(parseJson(input, REGISTRATION_LIMIT)),
    },
    { name: 'registration-signed', seeds: [canonicalBytes(bodies)], mutate, run: runSigned },
  ];
}

/** Opens `body` without true signatures, and signs it only when that is all that is wrong: signing is slow. */
function openSigned(body: Json, label: string, signer: SigningKey, open: (document: Json) => object): void {
  try {
    open({ signed: body, signatures: NO_SIGNATURES });
  } catch (thrown) {
    if (asProblem(thrown).code !== 'signature-invalid') throw thrown;
  }
  open(sign(body, label, signer));
}

function sign(body: Json, label: string, signer: SigningKey): Json {
  const pair = signer.sign(label, engine.sha256(utf8(label), canonicalBytes(body)));
  return {
    signed: body,
    signatures: { mldsa65: toBase64Url(pair.subarray(0, 3309)), ed25519: toBase64Url(pair.subarray(3309)) },
  };
}

function bodyOf(document: Json): Json {
  return (document as { readonly signed: Json }).signed;
}

function tolerate(action: () => unknown, code: Problem['code']): void {
  try {
    action();
  } catch (thrown) {
    if (asProblem(thrown).code !== code) throw thrown;
  }
}

function runJson(input: Uint8Array): void {
  requireSame(utf8(canonicalText(parseCanonical(input, 1_048_576))), input, 'canonical JSON');
}

function runIdentity(did: string): Target['run'] {
  return (input) => {
    const value = parseCanonical(input, LIMIT);
    didDocument(check(identityDocument, value));
    keysOfIdentity(did, value);
  };
}

function texts(did: string): Uint8Array[] {
  return [did, '0f'.repeat(16), toBase64Url(new Uint8Array(32))].map(utf8);
}

/** A text may be any of three; each that accepts it must give it back. */
function runTexts(input: Uint8Array): void {
  const text = Buffer.from(input).toString('latin1');
  const attempts = [
    () => didOf(digestOf(text)),
    () => toHex(fromHex(text, 16)),
    () => toBase64Url(fromBase64Url(text)),
  ].map((again) => {
    try {
      requireSame(utf8(again()), utf8(text), 'text');
      return null;
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      return thrown;
    }
  });
  if (attempts.every((refusal) => refusal !== null)) throw attempts[0]!;
}
