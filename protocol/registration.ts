/** Registration: what a device presents to the relay at its start: its identity, the operator's grant, its key. */
import type { Engine, VerifyingKeys } from './engine/engine.ts';
import type { Recipient } from './envelope.ts';
import { GRANT, type Grant } from './grant.ts';
import { type IdentityDocument, identityDocument, keysOfIdentity } from './identity.ts';
import { type KeyStatement, openKeyStatement } from './key-statement.ts';
import { Problem } from './problem.ts';
import { check, object, type Shape } from './shape.ts';
import { openDocument, type SignedJson } from './signed.ts';

/** Most bytes of a registration body. */
export const REGISTRATION_LIMIT = 32_768;

const json: Shape<SignedJson> = (value) => value as SignedJson;
const body = object({ identity: identityDocument, grant: json, keyStatement: json });

/** A device that proved who it is and that the operator wants it. */
export interface Registration {
  readonly grant: Grant;
  readonly identity: IdentityDocument;
  readonly keys: VerifyingKeys;
  readonly statement: KeyStatement;
  readonly recipient: Recipient;
  /** The statement as it was signed, to hand on to senders. */
  readonly statementDocument: SignedJson;
}

/**
 * Opens a registration that a stranger may have sent: grant by the operator, identity by its hash, key by the
 * identity. Refuses with the code of the first that fails.
 */
export function openRegistration(
  engine: Engine,
  value: unknown,
  trust: { readonly operatorKeys: VerifyingKeys; readonly siteId: string },
): Registration {
  const sent = check(body, value);
  const grant = openDocument(engine, GRANT, sent.grant, () => trust.operatorKeys);
  if (grant.siteId !== trust.siteId) {
    throw new Problem('site-mismatch', `the grant is of site ${grant.siteId}, expected ${trust.siteId}`);
  }
  const keys = keysOfIdentity(grant.did, sent.identity);
  const { recipient, ...statement } = openKeyStatement(engine, sent.keyStatement, grant.did, keys, 1);
  return { grant, identity: sent.identity, keys, statement, recipient, statementDocument: sent.keyStatement };
}
