/** Checks of who belongs to the site: grants, rosters, revocations, seeds. */
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalBytes, type Json, parseJson } from '../../../protocol/canonical.ts';
import type { SigningKey } from '../../../protocol/engine/engine.ts';
import { GRANT, type Grant } from '../../../protocol/grant.ts';
import { ROSTER, type Roster } from '../../../protocol/roster.ts';
import { signDocument } from '../../../protocol/signed.ts';
import { fromBase64Url } from '../../../protocol/text.ts';
import type { Enrolment } from '../../lib/device.ts';
import type { RunCheck } from '../check.ts';
import { registrationOf, type Scene } from '../scene/scene.ts';
import { withTemplate } from '../scene/template.ts';

const LIMIT = 1_048_576;
const UNSIGNED = {
  mutations: [
    {
      file: 'protocol/signed.ts',
      find: 'if (!engine.verify(',
      replace: "if (engine.name === 'portable' && !engine.verify(",
    },
  ],
};

interface Signed<T> {
  readonly signed: T;
  readonly signatures: { readonly ed25519: string; readonly mldsa65: string };
}

export const IDENTITY_CHECKS: readonly RunCheck[] = [
  {
    id: 'grant-proved',
    layer: 'run',
    async look(scene, see) {
      const [own, other] = [scene.enrolment('plc'), scene.enrolment('plc2')];
      const grant = own.grant as unknown as Signed<Grant>;
      const forgeries: readonly (readonly [string, Enrolment, string])[] = [
        [
          'a changed grant',
          { ...own, grant: { ...grant, signed: { ...grant.signed, serial: 99 } } as Json },
          own.apiKey,
        ],
        [
          'a grant of another operator',
          { ...own, grant: signDocument(scene.engine, stranger(scene), GRANT, grant.signed) },
          own.apiKey,
        ],
        ['the grant of another device', { ...own, grant: other.grant }, other.apiKey],
        ['the keys of another device', { ...own, device: other.device }, own.apiKey],
        ['another API key', own, other.apiKey],
      ];
      for (const [name, enrolment, apiKey] of forgeries) see(name, await register(scene, enrolment, apiKey), 404);
      see('the true registration', await register(scene, own, own.apiKey), 200);
    },
    sabotages: {
      unsigned: UNSIGNED,
      'any-key': {
        mutations: [
          {
            file: 'relay/routes/registering.ts',
            find: 'registration.grant.apiKeyHash !== apiKeyHash(engine, apiKey)',
            replace: "apiKey === ''",
          },
        ],
      },
    },
  },
  {
    id: 'roster-proved',
    layer: 'run',
    async look(scene, see) {
      const bytes = readFileSync(join(scene.folder, 'site', 'relay', 'roster.json'));
      const roster = parseJson(bytes, LIMIT) as unknown as Signed<Roster>;
      const next = { ...roster.signed, version: roster.signed.version + 1 };
      const operator = scene.engine.signingKey(seedOf(join(scene.folder, 'site', 'operator-seed')));
      const publish = async (document: unknown): Promise<number> => {
        const headers = { 'content-type': 'application/json' };
        const question = { method: 'POST', path: '/v2/roster', headers, body: canonicalBytes(document) };
        return (await scene.ask('management', question)).status;
      };
      see(
        'a roster of another operator',
        await publish(signDocument(scene.engine, stranger(scene), ROSTER, next)),
        404,
      );
      see('a changed roster', await publish({ ...roster, signed: next }), 404);
      see('the roster in force once more', await publish(roster), 409);
      see('version in force', await versionInForce(scene), roster.signed.version);
      see('a newer roster of the operator', await publish(signDocument(scene.engine, operator, ROSTER, next)), 200);
      see('version in force after it', await versionInForce(scene), next.version);
    },
    sabotages: {
      unsigned: UNSIGNED,
      older: {
        mutations: [
          { file: 'relay/members/roster-store.ts', find: 'roster.version <= version', replace: 'roster.version < 0' },
        ],
      },
    },
  },
  {
    id: 'revoked-at-once',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('leaver', 'ot');
      const leaver = scene.enrolment('leaver');
      const call = async () => (await scene.ask('ot', { path: '/v2/roster', apiKey: leaver.apiKey })).status;
      see('a call before', await call(), 200);
      const words = ['provision', 'revoke', 'leaver', '--dir', join(scene.folder, 'site'), '--publish'];
      see('exit code of the revocation', (await scene.run(words)).code, 0);
      see('a call after', await call(), 404);
      const after = await register(scene, leaver, leaver.apiKey);
      see('a registration after', after === 200 ? 'taken' : 'refused', 'refused');
    },
    sabotages: {
      'not-enforced': {
        mutations: [
          {
            file: 'relay/members/registry.ts',
            find: 'const device = registration && this.#roster.member(did);',
            replace: 'const device = registration && { ...registration.grant };',
          },
          {
            file: 'relay/members/registry.ts',
            find: 'if (!this.#roster.member(did) || ',
            replace: 'if (this.size < 0 && ',
          },
        ],
      },
      'comes-back': {
        mutations: [
          {
            file: 'relay/members/registry.ts',
            find: 'if (this.#roster.isRevoked(grant.did, grant.apiKeyHash))',
            replace: 'if (this.size < 0)',
          },
          {
            file: 'relay/members/registry.ts',
            find: 'const device = this.#roster.member(grant.did);',
            replace: 'const device = { ...grant };',
          },
        ],
      },
    },
  },
  {
    id: 'seed-guarded',
    layer: 'run',
    async look(scene, see) {
      const seed = join(scene.folder, 'site', 'relay', 'identity-seed');
      const certificate = ['relay', '--config', scene.configPath, '--certificate'];
      see('exit code with a seed of mode 600', (await scene.run(certificate)).code, 0);
      chmodSync(seed, 0o644);
      see('exit code with a seed that others may read', (await scene.run(certificate)).code, 3);
      await withTemplate(async (second) => {
        const secrets = [
          'site/operator-seed',
          'site/relay/identity-seed',
          ...['api-key', 'identity.json', 'kem.json'].map((file) => `hosts/plc/devices/plc/${file}`),
        ];
        const text = (folder: string, file: string) => readFileSync(join(folder, file), 'utf8');
        const common = secrets.filter((file) => text(scene.folder, file) === text(second, file));
        see('secrets that two sites have in common', common.length, 0);
      });
    },
    sabotages: {
      'any-mode': {
        mutations: [{ file: 'relay/identity.ts', find: '(mode & 0o077) !== 0', replace: 'mode === 0' }],
      },
    },
  },
];

async function register(scene: Scene, enrolment: Enrolment, apiKey: string): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const body = canonicalBytes(registrationOf(enrolment));
  return (await scene.ask('ot', { method: 'POST', path: '/v2/did/register', headers, body, apiKey })).status;
}

async function versionInForce(scene: Scene): Promise<number> {
  const { body } = await scene.ask('management', { path: '/health' });
  return Number((JSON.parse(body.toString('utf8')) as { rosterVersion?: number }).rosterVersion);
}

/** An operator that nobody knows. */
function stranger(scene: Scene): SigningKey {
  return scene.engine.signingKey(scene.engine.random(32));
}

function seedOf(path: string): Uint8Array {
  return fromBase64Url(readFileSync(path, 'latin1').trim());
}
