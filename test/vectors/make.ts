/**
 * Makes the test vectors: blocks and documents of one engine, with the seeds and results that a second
 * implementation needs to check itself.
 *
 *     node test/vectors/make.ts portable    writes the same bytes each time
 *     node test/vectors/make.ts native      draws new randomness: its stored vectors are kept for ever
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalText } from '../../protocol/canonical.ts';
import { CONTROL_BYTES, encodeControl } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { openBlock, type SealOptions } from '../../protocol/envelope.ts';
import { GRANT } from '../../protocol/grant.ts';
import { apiKeyHash, didDocument, keysText, operatorKeyHash } from '../../protocol/identity.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { encodeFileChunk, encodeRecords } from '../../protocol/payload.ts';
import { signReceipt } from '../../protocol/receipt.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toHex } from '../../protocol/text.ts';
import { coins, fieldsOf, type Party, party, readerOf, sealed, sealOptions, seed } from '../fixtures/protocol.ts';

/** One vector file; bytes are lower-case hexadecimal, documents are canonical JSON text. */
export interface Vectors {
  readonly engine: string;
  readonly siteId: string;
  readonly operatorKeyHash: string;
  readonly apiKey: string;
  readonly parties: Record<string, PartyVector>;
  readonly blocks: readonly BlockVector[];
  readonly documents: Record<'roster' | 'grant' | 'keyStatement' | 'revocation' | 'didDocument', string>;
  readonly receipt: string;
  /** A control frame without the zeros behind its items. */
  readonly control: string;
}

interface PartyVector {
  readonly identitySeed: string;
  readonly kemSeed: string;
  readonly identity: string;
  readonly did: string;
  readonly keyId: string;
}

export interface BlockVector {
  /** The block stands in the file ENGINE-NAME.block. */
  readonly name: string;
  readonly sha256: string;
  readonly sender: string;
  readonly header: { readonly views: number; readonly ttlSeconds: number; readonly burnAtClaim: boolean };
  /** Frame fields by name, bytes in hexadecimal. */
  readonly frame: Record<string, unknown>;
  readonly plain: string;
  /** The ack secret of each reader. */
  readonly ackSecrets: Record<string, string>;
}

const SITE_ID = toHex(seed('site').subarray(0, 16));
const API_KEY = `pgp_${'A'.repeat(43)}`;
const HERE = new URL('.', import.meta.url);

/** The portable engine on the coins of the stored vectors. */
export function vectorEngine(): Engine {
  return portableEngine(coins('vectors'));
}

/** The text of a vector file. */
export function textOf(vectors: Vectors): string {
  return `${JSON.stringify(vectors, null, 1)}\n`;
}

/** The text of the stored vector file of an engine. */
export function storedText(engine: string): string {
  return readFileSync(new URL(`${engine}.json`, HERE), 'utf8');
}

/** A stored block. */
export function storedBlock(engine: string, name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${engine}-${name}.block`, HERE)));
}

/** All vectors of one engine, and its blocks by name. */
export function makeVectors(engine: Engine): { vectors: Vectors; blocks: Map<string, Uint8Array> } {
  const parties = ['sender', 'one', 'two', 'three', 'operator'].map((name) => party(engine, name));
  const [sender, one, two, three, operator] = parties as [Party, Party, Party, Party, Party];
  const blocks = new Map<string, Uint8Array>();
  const seal = (name: string, readers: Party[], options: SealOptions): BlockVector => {
    blocks.set(name, sealed(engine, options));
    return { name, ...blockVector(engine, blocks.get(name)!, sender, readers, options) };
  };
  const sealedBlocks = [
    seal('records', [one], sealOptions(sender, [one], RECORDS)),
    seal('file', [one, two, three], fileOptions(sender, [one, two, three])),
  ];
  // Only where nobody makes the bytes again: another zstd may compress otherwise.
  if (engine.name === 'native') sealedBlocks.push(seal('compressed', [two], batchOptions(sender, two)));
  return {
    blocks,
    vectors: {
      engine: engine.name,
      siteId: SITE_ID,
      operatorKeyHash: operatorKeyHash(operator.signer.publicKeys),
      apiKey: API_KEY,
      parties: Object.fromEntries(parties.map((entry) => [entry.name, partyVector(entry)])),
      blocks: sealedBlocks,
      documents: documents(engine, operator, sender, one),
      receipt: toHex(receipt(engine, sender, one)),
      control: controlHex(),
    },
  };
}

const RECORDS = encodeRecords([
  { seq: 40, wallTimeMs: 1_700_000_123_000, bytes: utf8('{"tag":"TI-101","value":21.5}') },
  { seq: 43, wallTimeMs: 1_700_000_123_400, bytes: Uint8Array.of(0, 1, 0xfe, 0xff) },
]);

function fileOptions(sender: Party, readers: Party[]): SealOptions {
  const options = sealOptions(sender, readers, encodeFileChunk({ name: 'trend.csv', bytes: utf8('12:00,21.5\n') }));
  const group = { id: seed('file').subarray(0, 16), index: 1, count: 2, wholeSha256: seed('whole file') };
  const fields = {
    ...fieldsOf(sender, readers),
    type: 'fileChunk',
    recordCount: 1,
    expiryMs: 1_700_000_200_000,
    group,
  };
  return { ...options, views: 2, ttlSeconds: 604_800, burnAtClaim: true, fields: fields as SealOptions['fields'] };
}

function batchOptions(sender: Party, reader: Party): SealOptions {
  const text = utf8('{"tag":"TI-101","value":21.5}');
  const records = Array.from({ length: 100 }, (_, i) => ({
    seq: 40 + i,
    wallTimeMs: 1_700_000_000_000 + i,
    bytes: text,
  }));
  const options = sealOptions(sender, [reader], encodeRecords(records));
  return { ...options, fields: { ...options.fields, recordCount: records.length } };
}

function blockVector(
  engine: Engine,
  block: Uint8Array,
  sender: Party,
  readers: readonly Party[],
  { views, ttlSeconds, burnAtClaim }: SealOptions,
): Omit<BlockVector, 'name'> {
  const opened = readers.map((reader) => openBlock(engine, block.slice(), readerOf(reader, sender)));
  const { data: _, signatures: __, group, ...fields } = opened[0]!.frame;
  return {
    sha256: toHex(engine.sha256(block)),
    sender: sender.name,
    header: { views, ttlSeconds, burnAtClaim },
    frame: hexed({ ...fields, group: hexed({ ...group }) }),
    plain: toHex(opened[0]!.plain),
    ackSecrets: Object.fromEntries(readers.map(({ name }, i) => [name, toHex(opened[i]!.ackSecret)])),
  };
}

/** An object with its byte arrays in hexadecimal. */
export function hexed(fields: Record<string, unknown>): Record<string, unknown> {
  const text = (value: unknown) => (value instanceof Uint8Array ? toHex(value) : value);
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, text(value)]));
}

function partyVector({ seed: identitySeed, kemSeed, identity, did, recipient }: Party): PartyVector {
  return {
    identitySeed: toHex(identitySeed),
    kemSeed: toHex(kemSeed),
    identity: canonicalText(identity),
    did,
    keyId: toHex(recipient.keyId),
  };
}

function documents(engine: Engine, operator: Party, sender: Party, reader: Party): Vectors['documents'] {
  const device = { did: sender.did, name: 'plc-A1', roles: ['send'] as const, zone: 'ot' as const };
  const receiver = { did: reader.did, name: 'historian', roles: ['receive'] as const, zone: 'it' as const };
  const site = { v: 1, siteId: SITE_ID, issuedMs: 1_700_000_000_000 } as const;
  const hash = apiKeyHash(engine, API_KEY);
  const roster = {
    ...site,
    siteName: 'plant-1',
    version: 3,
    operator: keysText(operator.signer.publicKeys),
    profile: {
      blockSize: 65_536,
      intervalMs: 15_000,
      lanesUp: 1,
      lanesDown: 2,
      controlSize: CONTROL_BYTES,
      logQuantum: 1,
    },
    devices: [device, receiver],
    groups: { readers: ['historian'] },
    routes: [{ from: 'plc-A1', to: ['readers'], views: 1 }],
    cosigners: [],
    revocations: [],
  } as const;
  const revocation = { ...site, serial: 2, by: 'device', did: sender.did, what: 'api-key', apiKeyHash: hash } as const;
  const grant = { ...site, ...device, serial: 1, apiKeyHash: hash };
  return {
    roster: canonicalText(signDocument(engine, operator.signer, ROSTER, roster)),
    grant: canonicalText(signDocument(engine, operator.signer, GRANT, grant)),
    keyStatement: canonicalText(signKeyStatement(engine, sender.signer, sender.did, 3, sender.kemKey.publicKey)),
    revocation: canonicalText(signDocument(engine, sender.signer, REVOCATION, revocation)),
    didDocument: canonicalText(didDocument(sender.identity)),
  };
}

function receipt(engine: Engine, sender: Party, reader: Party): Uint8Array {
  const { streamId, run } = fieldsOf(sender, [reader]);
  return signReceipt(engine, reader.signer, {
    receiverDigest: reader.digest,
    senderDigest: sender.digest,
    streamId,
    run,
    serial: 9,
    nextRecord: 41,
    ranges: [{ first: 43, count: 1 }],
    rejects: [{ blockSeq: 5, code: 'incomplete' }],
  });
}

function controlHex(): string {
  const transferId = seed('transfer').subarray(0, 16);
  const frame = encodeControl([
    { type: 'epoch', epochId: seed('epoch').subarray(0, 16) },
    { type: 'lease', transferId, blockSha256: seed('block'), attempt: 1, leaseMs: 60_000 },
    { type: 'status', transferId, state: 'delivered' },
    { type: 'problem', transferId, code: 'lease-expired' },
  ]);
  return toHex(frame).replace(/(00)+$/, '');
}

if (import.meta.main) {
  const { vectors, blocks } = makeVectors(process.argv[2] === 'native' ? nativeEngine : vectorEngine());
  writeFileSync(new URL(`${vectors.engine}.json`, HERE), textOf(vectors));
  for (const [name, block] of blocks) writeFileSync(new URL(`${vectors.engine}-${name}.block`, HERE), block);
}
