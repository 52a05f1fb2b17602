/** A short run over a real listener, and proof that a relay with a fault is found out. */
import t from 'tap';
import { ZONES } from '../../protocol/shapes.ts';
import { readAnswers } from './http/answers.ts';
import { fuzzRelay } from './http/fuzz-relay.ts';
import { openScene, type RelayScene } from './http/relay-scene.ts';

t.setTimeout(120_000);

async function scene(t: { testdir(): string; teardown(end: () => unknown): unknown }): Promise<RelayScene> {
  const opened = await openScene(t.testdir());
  t.teardown(opened.close);
  return opened;
}

t.test('raw requests at every listener', async (t) => {
  const report = await fuzzRelay(await scene(t), { inputs: 1600, seed: 'short run' }, ZONES);
  t.same(report.failures, []);
  t.ok(report.accepted > 50, `${report.accepted} successes`);
  for (const word of ['404 not-available', '400 control-invalid', '409 roster-older']) {
    t.ok((report.refused[word] ?? 0) > 0, word);
  }
});

t.test('raw requests for the audit log', async (t) => {
  const report = await fuzzRelay(await scene(t), { inputs: 320, seed: 'short run' }, ['log']);
  t.same(report.failures, []);
  t.ok(report.accepted > 50, `${report.accepted} successes`);
  t.ok((report.refused['404 not-available'] ?? 0) > 20);
});

t.test('a log that fails at a query which it does not expect is found', async (t) => {
  const sabotaged = await scene(t);
  const { audit } = sabotaged.running.conduit;
  const [epoch] = audit.view.epochs;
  Object.defineProperty(epoch, 'tile', {
    value() {
      throw new TypeError('no such tile');
    },
  });
  const { failures } = await fuzzRelay(sabotaged, { inputs: 320, seed: 'short run' }, ['log']);
  t.ok(failures.length > 0);
  t.match(failures[0], { kind: 'crash', message: /no such tile|the relay says/ });
});

t.test('a relay that crashes on a key which it does not know is found', async (t) => {
  const sabotaged = await scene(t);
  const { registry } = sabotaged.running.conduit;
  const find = registry.withApiKey.bind(registry);
  registry.withApiKey = (key) => {
    const member = find(key);
    if (!member) throw new TypeError('no such key');
    return member;
  };
  const { failures } = await fuzzRelay(sabotaged, { inputs: 1600, seed: 'short run' }, ZONES);
  t.match(
    failures.filter(({ kind, message }) => kind !== 'crash' || !/no such key|the relay says/.test(message)),
    [],
  );
  t.ok(failures.length > 0);
});

t.test('a relay that never answers, or keeps what it was sent, is found', async (t) => {
  const silent = await scene(t);
  silent.running.conduit.metrics.text = () => new Promise(() => {});
  const hung = await fuzzRelay(silent, { inputs: 400, seed: 'short run', limitMs: 2000 }, ZONES);
  t.match(hung.failures, [{ kind: 'hang', message: /did not close within 2 s/ }]);
  t.match(
    Buffer.from(hung.failures[0]!.input, 'hex').toString('latin1'),
    /GET \/metrics/,
    'with the input that did it',
  );

  const hoarding = await scene(t);
  const { registry } = hoarding.running.conduit;
  const kept: Uint8Array[] = [];
  const find = registry.withApiKey.bind(registry);
  registry.withApiKey = (key) => {
    kept.push(new Uint8Array(131_072).fill(key.length));
    return find(key);
  };
  const { failures } = await fuzzRelay(hoarding, { inputs: 1600, seed: 'short run' }, ZONES);
  t.match(failures, [{ kind: 'leak' }]);
});

t.test('a slot that is never given back is found', async (t) => {
  const sabotaged = await scene(t);
  const { deliveries } = sabotaged.running.conduit;
  const claim = deliveries.claim.bind(deliveries);
  let claims = 0;
  deliveries.claim = (...words) => {
    const lease = claim(...words);
    return lease && ++claims === 2 ? { ...lease, release() {} } : lease;
  };
  const { failures } = await fuzzRelay(sabotaged, { inputs: 320, seed: 'short run' }, ZONES);
  t.match(failures, [{ kind: 'broken', message: /7 of 8 slots are free/ }]);
});

t.test('what a relay may not say', async (t) => {
  const head = (status: string, more: string) => Buffer.from(`HTTP/1.1 ${status}\r\n${more}\r\n\r\n`);
  const problem = (told: object) => {
    const body = JSON.stringify(told);
    return Buffer.from(
      `HTTP/1.1 404 No\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  };
  const good = problem({ code: 'not-available', status: 404 });
  t.same(readAnswers(Buffer.concat([good, head('200 OK', 'content-length: 0'), good])), {
    said: ['404 not-available', '200', '404 not-available'],
    fault: null,
  });
  t.equal(readAnswers(good.subarray(0, good.length - 3)).fault, null, 'cut where the connection was');
  for (const bad of [
    Buffer.from('hello'),
    head('200 OK', 'transfer-encoding: chunked'),
    head('400 Bad Request', 'content-length: 0'),
    head('SPAM', 'content-length: 0'),
    problem({ code: 'internal', status: 404 }),
    problem({ code: 'not-available', status: 400 }),
    problem({ code: 'nonsense', status: 404 }),
  ]) {
    t.ok(readAnswers(Buffer.concat([good, bad])).fault, bad.toString().slice(0, 60));
  }
});
