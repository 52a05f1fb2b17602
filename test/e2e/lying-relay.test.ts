/**
 * A relay that lies about identities, keys and rosters: nothing is sealed to a key that the operator and its owner did
 * not name, and every lie has its stable code.
 */
import { join } from 'node:path';
import t from 'tap';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { keyIdOf } from '../../protocol/key-id.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { each, FOLDER, type Known, SITE, scene, sealedOnlyTo, stopped } from '../fixtures/lying-scene.ts';
import { makeSite, type Site, seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

/** What the relay says of a peer: identity and key statement. */
function word(identity: object, keyStatement: unknown): Uint8Array {
  return canonicalBytes({ identity, keyStatement });
}

t.test('keys that the receiver did not sign reach nobody', async (t) => {
  const lies: Record<string, { code: string; peer: (scene: Known) => Uint8Array }> = {
    "the attacker's own identity": {
      code: 'did-mismatch',
      peer: ({ attacker }) => word(attacker.identity, attacker.keyStatement),
    },
    "the attacker's KEM key, signed by the attacker under the receiver's name": {
      code: 'signature-invalid',
      peer: ({ attacker, receiver }) =>
        word(receiver.identity, signKeyStatement(engine, attacker.signer, receiver.did, 9, attacker.kemKey.publicKey)),
    },
    "the attacker's honest statement with the receiver's identity": {
      code: 'signature-invalid',
      peer: ({ attacker, receiver }) => word(receiver.identity, attacker.keyStatement),
    },
    "another member's identity and key": {
      code: 'did-mismatch',
      peer: ({ site }) => word(site.device('mirror').identity, site.device('mirror').keyStatement),
    },
    "the receiver's statement with another key put in": {
      code: 'signature-invalid',
      peer: ({ attacker, receiver }) => {
        const { signatures } = receiver.keyStatement as { signatures: object };
        const { signed } = attacker.keyStatement as { signed: object };
        return word(receiver.identity, { signed: { ...signed, did: receiver.did }, signatures });
      },
    },
    'nothing that has the shape': {
      code: 'schema-invalid',
      peer: () => Buffer.from('{"identity":7}'),
    },
    'no JSON': { code: 'json-invalid', peer: () => Buffer.from('<html>') },
    null: { code: 'schema-invalid', peer: () => Buffer.from('null') },
  };
  await each(lies, async (name, { code, peer }) => {
    const stage = await scene(t, (known) => ({ peer: peer(known) }));
    const sender = stage.start('sender');
    await until('the lie told twice', () => stage.relay.heard.membership.length >= 3, sender.stderr);
    t.match(await stopped(sender), { ok: false, records: 1, delivered: 0, undelivered: 1, blocks: 0 }, name);
    t.match(sender.stderr(), `[${code}]`, name);
    t.match(sender.stderr(), '[no-recipient]');
    t.strictSame(stage.relay.heard.inbound, [], 'no block left the sender');
  });
});

t.test('an older key statement than the one seen before is refused, also after a restart', async (t) => {
  const newKey = engine.kemKey(seedOf('second generation'));
  const stage = await scene(t, () => ({}));
  const { site, state, sender, receiver } = stage;
  const directory = new Directory(engine, site, join(state, sender.name), site.rosterBytes);
  const keyStatement = signKeyStatement(engine, receiver.signer, receiver.did, 2, newKey.publicKey);
  directory.acceptPeer(receiver.did, { identity: receiver.identity, keyStatement });
  const running = stage.start('sender'); // the relay serves generation 1
  await until('blocks', () => stage.relay.heard.inbound.length >= 2, running.stderr);
  t.match(await stopped(running), { ok: false, undelivered: 1 });
  t.match(running.stderr(), '[statement-older]');
  sealedOnlyTo(t, stage, { keyId: keyIdOf(engine, newKey.publicKey), publicKey: newKey.publicKey });
});

t.test('a roster that is older, or of another operator, or changed, stops the client', async (t) => {
  const other = (directory: string) => makeSite({ directory, ...SITE, name: 'plant-1' });
  const lies: Record<string, { code: string; bytes: (site: Site, folder: string) => Uint8Array }> = {
    'an older one': { code: 'roster-older', bytes: (site) => site.rosterBytes },
    "one of the attacker's operator": {
      code: 'operator-mismatch',
      bytes: (_site, folder) => makeSite({ directory: folder, ...SITE, name: 'plant-2' }).issueRoster({ version: 99 }),
    },
    "one signed by another under the operator's keys": {
      code: 'signature-invalid',
      bytes: (site) => {
        const changed = JSON.parse(Buffer.from(site.issueRoster({ version: 99 })).toString());
        changed.signed.devices[1].did = site.stranger('mallory').did;
        return canonicalBytes(changed);
      },
    },
    'one of another site of the operator': {
      code: 'site-mismatch',
      bytes: (site) => site.issueRoster({ version: 99, siteId: '0'.repeat(32) }),
    },
    'no roster': { code: 'json-invalid', bytes: () => Buffer.from('{') },
  };
  await each(lies, async (name, { code, bytes }) => {
    const stage = await scene(t, ({ site }) => ({ roster: bytes(site, FOLDER) }));
    const { site, state } = stage;
    for (const device of [stage.sender, stage.receiver]) {
      const seen = new Directory(engine, site, join(state, device.name), site.rosterBytes);
      seen.acceptRoster(other(FOLDER).issueRoster({ version: 2 }));
    }
    for (const client of [stage.start('sender'), stage.start('receiver', [])]) {
      t.equal(await client.ended, 1, client.stderr());
      t.match(lastJson(client.stdout()), { ok: false, code }, name);
    }
    t.strictSame(stage.relay.heard.inbound, []);
    t.strictSame(stage.relay.heard.claim, []);
  });
});
