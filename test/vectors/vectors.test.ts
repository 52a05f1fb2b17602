/** The stored vectors: made again by the portable engine, and opened by both. */
import t from 'tap';
import { parseHeader } from '../../protocol/block.ts';
import { utf8 } from '../../protocol/bytes.ts';
import { type Json, parseCanonical } from '../../protocol/canonical.ts';
import { CONTROL_BYTES, encodeControl, parseControl } from '../../protocol/control.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { openBlock } from '../../protocol/envelope.ts';
import { GRANT } from '../../protocol/grant.ts';
import { didDocument, identityDocument, keysOfIdentity } from '../../protocol/identity.ts';
import { openKeyStatement } from '../../protocol/key-statement.ts';
import { verifyReceipt } from '../../protocol/receipt.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { openRoster } from '../../protocol/roster.ts';
import { check } from '../../protocol/shape.ts';
import { openDocument } from '../../protocol/signed.ts';
import { toHex } from '../../protocol/text.ts';
import { type Party, party, readerOf, sameBytes } from '../fixtures/protocol.ts';
import { hexed, makeVectors, storedBlock, storedText, textOf, type Vectors, vectorEngine } from './make.ts';

t.test('the portable engine makes its vectors again, byte for byte', async (t) => {
  const { vectors, blocks } = makeVectors(vectorEngine());
  t.equal(textOf(vectors), storedText('portable'));
  for (const [name, block] of blocks) sameBytes(t, block, storedBlock('portable', name), name);
});

for (const maker of ['portable', 'native']) {
  const vectors = JSON.parse(storedText(maker)) as Vectors;
  for (const engine of [nativeEngine, vectorEngine()]) {
    t.test(`the ${engine.name} engine opens what the ${maker} engine made`, async (t) => {
      const parties = Object.keys(vectors.parties).map((name) => party(engine, name));
      const named = (name: string): Party => parties.find((entry) => entry.name === name)!;

      t.test('parties', async (t) => {
        for (const entry of parties) {
          const { identity, did, keyId } = vectors.parties[entry.name]!;
          t.same(json(identity), entry.identity);
          t.equal(entry.did, did);
          t.equal(toHex(entry.recipient.keyId), keyId);
        }
      });

      for (const vector of vectors.blocks) {
        t.test(`block ${vector.name}`, async (t) => {
          const block = storedBlock(maker, vector.name);
          t.equal(toHex(engine.sha256(block)), vector.sha256);
          t.match(parseHeader(block), vector.header);
          for (const [name, ackSecret] of Object.entries(vector.ackSecrets)) {
            const opened = openBlock(engine, block.slice(), readerOf(named(name), named(vector.sender)));
            t.match(hexed({ ...opened.frame, group: hexed({ ...opened.frame.group }) }), vector.frame);
            t.equal(toHex(opened.plain), vector.plain);
            t.equal(toHex(opened.ackSecret), ackSecret);
          }
        });
      }

      t.test('documents', async (t) => {
        const { documents, siteId, operatorKeyHash } = vectors;
        const [sender, operator] = [named('sender'), named('operator').signer.publicKeys];
        const identity = check(identityDocument, json(vectors.parties.sender!.identity));
        const keys = keysOfIdentity(sender.did, identity);
        const roster = openRoster(engine, utf8(documents.roster), { operatorKeyHash, siteId, minVersion: 3 });
        t.equal(roster.devices[0]!.did, sender.did);
        const grant = openDocument(engine, GRANT, json(documents.grant), () => operator);
        t.match(grant, { name: 'plc-A1', serial: 1, siteId });
        const statement = openKeyStatement(engine, json(documents.keyStatement), sender.did, keys, 3);
        t.same(statement.recipient, sender.recipient);
        const revocation = openDocument(engine, REVOCATION, json(documents.revocation), () => keys);
        t.equal(revocation.apiKeyHash, grant.apiKeyHash);
        t.same(didDocument(identity), json(documents.didDocument));
      });

      t.test('receipt and control frame', async (t) => {
        const receipt = Buffer.from(vectors.receipt, 'hex');
        t.match(verifyReceipt(engine, receipt, named('one').signer.publicKeys), {
          serial: 9,
          nextRecord: 41,
          ranges: [{ first: 43, count: 1 }],
          rejects: [{ blockSeq: 5, code: 'incomplete' }],
        });
        const frame = new Uint8Array(CONTROL_BYTES);
        frame.set(Buffer.from(vectors.control, 'hex'));
        const items = parseControl(frame);
        t.same(
          items.map((item) => item.type),
          ['epoch', 'lease', 'status', 'problem'],
        );
        sameBytes(t, encodeControl(items), frame);
      });
    });
  }
}

function json(text: string): Json {
  return parseCanonical(utf8(text), text.length);
}
