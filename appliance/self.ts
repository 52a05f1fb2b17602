/** The device `self`: made anew at each boot, by it the appliance tests its own relay. */
import type { Engine } from '../protocol/engine/engine.ts';
import { GRANT } from '../protocol/grant.ts';
import { apiKeyHash, keysText, makeApiKey } from '../protocol/identity.ts';
import { SELF_NAME, type SelfFile } from '../protocol/self-file.ts';
import { signDocument } from '../protocol/signed.ts';
import { deviceOf, makeDeviceSecrets, writeEnrolment } from '../tools/lib/device.ts';
import type { Card } from './card.ts';

/** Writes its secrets to `folder` and gives what the relay is told of it. It signs its own grant. */
export function makeSelf(engine: Engine, folder: string, { config, rosterBytes }: Card): SelfFile {
  const secrets = makeDeviceSecrets(engine, SELF_NAME);
  const { did, signer } = deviceOf(engine, secrets.identity, secrets.kem);
  const apiKey = makeApiKey(engine);
  const grant = signDocument(engine, signer, GRANT, {
    v: 1,
    siteId: config.siteId,
    serial: 1,
    did,
    name: SELF_NAME,
    roles: ['send', 'receive'],
    zone: 'management',
    apiKeyHash: apiKeyHash(engine, apiKey),
    issuedMs: Date.now(),
  });
  writeEnrolment(folder, secrets, { grant, apiKey, rosterBytes });
  return { v: 1, did, keys: keysText(signer.publicKeys) };
}
