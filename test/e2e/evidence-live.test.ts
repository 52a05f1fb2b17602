/** Checks that need no device of a site look at its relay where it listens: they pass on a good one, and catch a bad one. */
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { NETWORK_CHECKS } from '../../tools/evidence/checks/network.ts';
import { TLS_CHECKS } from '../../tools/evidence/checks/tls.ts';
import { Looking } from '../../tools/evidence/looking.ts';
import { LiveRelay } from '../../tools/evidence/scene/live-relay.ts';
import { type Sabotage, Scene } from '../../tools/evidence/scene/scene.ts';
import { withTemplate } from '../../tools/evidence/scene/template.ts';
import { evidence, PROJECT } from '../fixtures/evidence.ts';

t.setTimeout(180_000);

const REACHING = [...TLS_CHECKS, ...NETWORK_CHECKS].filter(({ reaches }) => reaches);
const PIN = `sha256/${'A'.repeat(43)}`;

/** What the checks say of a relay with this sabotage, looked at from outside; `pin` is its own when left out. */
async function looked(template: string, sabotage: Sabotage, pin?: string): Promise<Record<string, string>> {
  const site = new Scene({ engine, project: PROJECT, template, sabotage });
  try {
    const twin = await site.relay();
    const places = ['ot', 'it', 'management'].map((zone) => `${zone}=${site.address}`);
    const live = new LiveRelay(site.written.listeners, places, pin ?? twin.pin);
    const checks = REACHING.map((check) => ({ ...check, sabotages: {} }));
    const outcomes = await new Looking({ engine, project: PROJECT, template, now: Date.now, scenes: 1, live }).all(
      checks,
    );
    if (pin === undefined) for (const { clean } of outcomes) t.equal(clean.bootId, await site.bootId());
    return Object.fromEntries(outcomes.map(({ check, clean }) => [check.id, clean.result]));
  } finally {
    await site.close();
  }
}

t.test('a good relay passes, a bad one is caught, and one with another key is no result', async (t) => {
  await withTemplate(async (template) => {
    const ids = ['tls-offer', 'tls-own-certificate', 'tls-no-resumption', 'tls-no-plaintext', 'no-forwarding'];
    t.same(await looked(template, {}), Object.fromEntries(ids.map((id) => [id, 'pass'])));
    const offer = TLS_CHECKS.find(({ id }) => id === 'tls-offer')!.sabotages['classic-group']!;
    t.match(await looked(template, offer), { 'tls-offer': 'fail', 'no-forwarding': 'pass' });
    t.match(await looked(template, {}, PIN), { 'tls-own-certificate': 'error', 'no-forwarding': 'error' });
  });
});

t.test('where a relay is looked at must be said in full', async (t) => {
  const listener = { zone: 'ot', address: '0.0.0.0', port: 3000, tls: 'classic', calls: ['health'] } as const;
  const refused = { code: 'usage' };
  for (const place of ['10.0.0.1', 'dmz=10.0.0.1', 'ot=', 'ot=a b', 'it=10.0.0.1']) {
    t.throws(() => new LiveRelay([listener], [place], PIN), refused, place);
  }
  const classic = new LiveRelay([listener], ['ot=10.0.0.1'], PIN);
  t.match((await classic.relay()).listeners, [{ address: '10.0.0.1', port: 3000 }]);
  t.equal(await classic.bootId(), '');
  await t.rejects(classic.peer('ot'), { code: 'config-invalid' });
  const words = ['run', '--profile', 'sl2', '--out', t.testdir(), '--relay', 'ot=10.0.0.1'];
  t.match(await evidence(...words), { code: 2, json: { code: 'usage' } });
  t.match(await evidence(...words, '--relay-pin', PIN), { code: 2, json: { code: 'usage' } });
});
