import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, parseConfigFile } from '../../relay/config.ts';

const SITE = `
site:
  siteId: ${'ab'.repeat(16)}
  operatorKeyHash: sha256/${'A'.repeat(43)}
  rosterFile: site/roster.json
`;
const LISTENER = `
listeners:
  - zone: ot
    address: 127.0.0.1
    port: 3000
    tls: pq
    calls: [inbound, register]
`;

t.test('a file gives a configuration with every default', async (t) => {
  const config = parseConfigFile(`name: relay-1\n${SITE}${LISTENER}`, 'relay.yaml');
  t.match(config, {
    mode: 'iot',
    name: 'relay-1',
    seedFile: null,
    store: { slots: 64 },
    limits: { leaseSeconds: 60, slotsPerSender: 64 },
    listeners: [{ zone: 'ot', port: 3000 }],
  });
});

t.test('a refusal names the file and the line', async (t) => {
  const wrong: readonly [text: string, line: number, fact: RegExp][] = [
    [`name: relay-1\ncolour: red\n${LISTENER}`, 2, /unknown key "colour"/],
    [`${LISTENER}store:\n  slots: 0\n`, 9, /store\.slots must be an integer from 1 to 4096, not 0/],
    [`${LISTENER}store:\n  slots: "8"\n`, 9, /must be an integer/],
    [`${LISTENER}store:\n  slot: 8\n`, 9, /unknown key "slot"/],
    [LISTENER.replace('tls: pq', 'tls: off'), 6, /needs tls: pq/],
    [LISTENER.replace('inbound', 'inbond'), 7, /must be one of inbound/],
    [LISTENER.replace('127.0.0.1', 'nonsense!'), 4, /an IP address/],
    ['name: relay-1\n', 1, /key "listeners" is missing/],
    [`name: a\nname: b\n${LISTENER}`, 2, /unique/],
    [`name: &a x\nmode: *a\n${LISTENER}`, 2, /aliases are not allowed/],
    [`name: !plant x\n${LISTENER}`, 1, /tag/i],
    [`name: [\n`, 2, /./],
    [`${LISTENER}---\nname: x\n`, 8, /document/],
    ['? '.repeat(300), 1, /all keys must be strings/],
    ['- '.repeat(30_000), 1, /too deep|Maximum call stack/],
    ['- a list', 1, /must be an object/],
    ['', 1, /must be an object/],
    [`__proto__: 1\n${LISTENER}`, 1, /unknown key/],
    [`site:\n  siteId: short\n  operatorKeyHash: x\n  rosterFile: y\n${LISTENER}`, 2, /32 lower-case hexadecimal/],
  ];
  for (const [text, line, fact] of wrong) {
    t.throws(
      () => parseConfigFile(text, 'relay.yaml'),
      { code: 'config-invalid', detail: new RegExp(`^relay\\.yaml:${line}: .*${fact.source}`, 's') },
      JSON.stringify(text.slice(0, 60)),
    );
  }
});

t.test('nesting that no stack holds is refused at any depth', async (t) => {
  for (let depth = 500; depth < 30_000; depth = Math.ceil(depth * 1.3)) {
    for (const text of ['- '.repeat(depth), '['.repeat(depth), `${'['.repeat(depth)}${']'.repeat(depth)}`]) {
      t.throws(() => parseConfigFile(text, 'relay.yaml'), { code: 'config-invalid' }, `${depth} x ${text.slice(0, 2)}`);
    }
  }
});

t.test('paths in a file are relative to it', async (t) => {
  const directory = t.testdir();
  const file = join(directory, 'relay.yaml');
  const store = 'store:\n  kind: tmpfs\n  slots: 4\n  path: blocks\n';
  writeFileSync(file, `seedFile: keys/seed\n${store}${SITE}${LISTENER}`);
  const config = await loadConfig(file, {});
  t.equal(config.seedFile, join(directory, 'keys/seed'));
  t.equal(config.site?.rosterFile, join(directory, 'site/roster.json'));
  t.same(config.store, { kind: 'tmpfs', slots: 4, path: join(directory, 'blocks') });
  t.same(await loadConfig(undefined, { GHOSTPIPE_CONFIG: file }), config);
});

t.test('file and environment together', async (t) => {
  const file = join(t.testdir(), 'relay.yaml');
  writeFileSync(file, `licenceKey: plk_file\n${LISTENER}`);
  t.equal((await loadConfig(file, {})).licenceKey, 'plk_file');
  t.equal((await loadConfig(file, { LICENSE_KEY: 'plk_new', PORT: '9' })).licenceKey, 'plk_new');
  t.equal((await loadConfig(file, { RELAY_MODE: 'iot' })).mode, 'iot');
  await t.rejects(loadConfig(file, { RELAY_MODE: 'mqtt' }), {
    code: 'config-invalid',
    detail: /environment: mode must be one of iot/,
  });
  await t.rejects(loadConfig(file, { LICENSE_KEY: 'nonsense' }), {
    code: 'config-invalid',
    detail: /environment: licenceKey/,
  });
  await t.rejects(loadConfig(`${file}.none`, {}), { code: 'config-missing' });
  writeFileSync(file, `# ${'x'.repeat(300_000)}\n${LISTENER}`);
  await t.rejects(loadConfig(file, {}), { code: 'config-invalid', detail: /at most 65536/ });
});

t.test('the environment alone', async (t) => {
  const config = await loadConfig(undefined, { RELAY_MODE: 'iot', LICENSE_KEY: 'plk_x', PORT: '8443' });
  t.match(config, { mode: 'iot', licenceKey: 'plk_x', site: null, listeners: [{ tls: 'pq', port: 8443 }] });
  t.equal((await loadConfig(undefined, {})).listeners[0]?.port, 3000);
  for (const wrong of [{ RELAY_MODE: 'x' }, { LICENSE_KEY: 'x' }, { PORT: 'x' }, { PORT: '70000' }]) {
    await t.rejects(loadConfig(undefined, wrong), { code: 'config-invalid', detail: /^environment: / });
  }
});
