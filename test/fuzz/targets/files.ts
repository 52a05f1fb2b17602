/** Files and settings that a program reads at its start: relay configuration, profiles, secrets, marks, runs, peers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { utf8 } from '../../../protocol/bytes.ts';
import { canonicalBytes, type Json, parseJson } from '../../../protocol/canonical.ts';
import { parseRelayConfig } from '../../../protocol/config.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { didDocument } from '../../../protocol/identity.ts';
import { toBase64Url } from '../../../protocol/text.ts';
import { configOfEnvironment, MAX_FILE_BYTES, parseConfigFile } from '../../../relay/config.ts';
import {
  type IdentityFile,
  type KemFile,
  readApiKey,
  readEnrolment,
  writeEnrolment,
} from '../../../tools/lib/device.ts';
import { Directory } from '../../../tools/lib/directory.ts';
import { readProfile } from '../../../tools/lib/profile.ts';
import { StreamMarks } from '../../../tools/receiver/stream-marks.ts';
import { beginRun } from '../../../tools/sender/run-state.ts';
import { seed } from '../../fixtures/protocol.ts';
import type { Site } from '../../fixtures/site.ts';
import { bytesMutator } from '../mutate-bytes.ts';
import { jsonMutator } from '../mutate-json.ts';
import type { Target } from '../target.ts';

const YAML = [
  '&a ',
  '*a',
  '<<: *a\n',
  '- ',
  '{',
  '}',
  '[',
  ']',
  ': ',
  '? ',
  '|\n',
  '>\n',
  '\n',
  '  ',
  '\t',
  '#',
  '---\n',
];
const YAML_TAGS = ['!!binary ', '!!set ', '!x ', '%YAML 1.1\n', '%TAG ! x\n', '"\\x00"', '.inf', '0o17', '1e400', '~'];
const yamlMutator = bytesMutator(
  [...YAML, ...YAML_TAGS, 'listeners:\n', '__proto__: {v: 1}\n', 'a: 1\n'],
  MAX_FILE_BYTES,
);
const DEVICE = 'plc-A1';
const stream = seed('stream').subarray(0, 16);

/** `folder` is empty and only for these. */
export function fileTargets(site: Site, folder: string): Target[] {
  const config = relayConfig(site);
  return [
    { name: 'config-yaml', seeds: [utf8(stringify(config))], mutate: yamlMutator, run: runConfigFile },
    { name: 'config', seeds: [canonicalBytes(config)], mutate: jsonMutator, run: runConfig },
    { name: 'environment', seeds: [utf8('iot\nplk_x\n3000')], mutate: yamlMutator, run: runEnvironment },
    profileTarget(site, join(folder, 'profile')),
    ...enrolmentTargets(site, join(folder, 'device')),
    marksTarget(join(folder, 'marks')),
    runTarget(join(folder, 'run')),
    peerTarget(site, join(folder, 'directory')),
  ];
}

function relayConfig(site: Site): Json {
  return {
    name: 'relay-1',
    site: { siteId: site.siteId, operatorKeyHash: site.operatorKeyHash, rosterFile: 'roster.json' },
    listeners: [
      { zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq', calls: ['inbound', 'health'] },
      { zone: 'management', address: '::1', port: 9000, tls: 'off', calls: ['health', 'metrics'] },
    ],
    store: { kind: 'tmpfs', slots: 8, path: 'blocks' },
    limits: { leaseSeconds: 5, connections: 9 },
    logLevel: 'info',
  };
}

function runConfigFile(input: Uint8Array): void {
  parseConfigFile(Buffer.from(input).toString('utf8'), 'relay.yaml');
}

function runConfig(input: Uint8Array): void {
  parseRelayConfig(parseJson(input, 262_144));
}

/** An input is three lines: mode, licence key, port. */
function runEnvironment(input: Uint8Array): void {
  const [RELAY_MODE, LICENSE_KEY, PORT] = Buffer.from(input).toString('utf8').split('\n');
  configOfEnvironment({ RELAY_MODE, LICENSE_KEY, PORT });
}

function profileTarget(site: Site, folder: string): Target {
  const place = inFolder(folder, 'config.yaml');
  const profile = {
    url: 'https://127.0.0.1:3000',
    relayPins: [site.operatorKeyHash],
    logPin: site.operatorKeyHash,
    operatorKeyHash: site.operatorKeyHash,
    siteId: site.siteId,
  };
  return {
    name: 'profile-yaml',
    seeds: [utf8(stringify({ profiles: { iot: profile } }))],
    mutate: yamlMutator,
    run(input) {
      place(input);
      readProfile(folder, 'iot');
    },
  };
}

/** Each secret of a device folder changed while the others are as they should be. */
function enrolmentTargets(site: Site, folder: string): Target[] {
  const { grant, apiKey, seed: identitySeed } = site.device(DEVICE);
  const secrets: { identity: IdentityFile; kem: KemFile } = {
    identity: { v: 1, name: DEVICE, seed: toBase64Url(identitySeed), nameSalt: toBase64Url(stream) },
    kem: { v: 1, keys: [{ generation: 1, seed: toBase64Url(seed('kem')) }] },
  };
  const contents: [string, unknown][] = [...Object.entries(secrets), ['grant', grant]];
  const targets = contents.map(([what, content]): Target => {
    const own = join(folder, what);
    writeEnrolment(own, secrets, { grant, apiKey, rosterBytes: site.rosterBytes });
    const place = inFolder(own, `${what}.json`);
    return {
      name: `${what}-file`,
      seeds: [canonicalBytes(content)],
      mutate: jsonMutator,
      run(input) {
        place(input);
        readEnrolment(engine, own);
      },
    };
  });
  return [...targets, apiKeyTarget(join(folder, 'api-key-only'), apiKey)];
}

function apiKeyTarget(folder: string, apiKey: string): Target {
  const place = inFolder(folder, 'api-key');
  return {
    name: 'api-key-file',
    seeds: [utf8(`${apiKey}\n`)],
    mutate: bytesMutator(),
    run(input) {
      place(input);
      readApiKey(join(folder, 'api-key'));
    },
  };
}

function marksTarget(folder: string): Target {
  const place = inFolder(folder, 'a.json');
  const run = '0f'.repeat(16);
  const mark = {
    v: 1,
    serial: 7,
    open: [
      {
        run,
        blocks: [{ first: 0, count: 4 }],
        records: [
          { first: 0, count: 2 },
          { first: 5, count: 1 },
        ],
        rejects: [],
      },
    ],
    closed: ['0e'.repeat(16)],
  };
  return {
    name: 'stream-marks',
    seeds: [canonicalBytes(mark)],
    mutate: jsonMutator,
    run(input) {
      place(input);
      new StreamMarks(folder);
    },
  };
}

function runTarget(state: string): Target {
  const path = `${Buffer.from(stream).toString('hex')}.json`;
  const place = inFolder(join(state, 'sender'), path);
  return {
    name: 'run-state',
    seeds: [canonicalBytes({ v: 1, run: '0f'.repeat(16) })],
    mutate: jsonMutator,
    run(input) {
      place(input);
      beginRun(state, stream, 1_700_000_000_000, new Uint8Array(8));
    },
  };
}

/** What a relay says of a peer: believed only when it verifies, and then kept on disk. */
function peerTarget(site: Site, folder: string): Target {
  const { did, identity, keyStatement } = site.device('historian');
  const trust = { operatorKeyHash: site.operatorKeyHash, siteId: site.siteId };
  const answer = { identity, keyStatement, didDocument: didDocument(identity) };
  return {
    name: 'peer-answer',
    seeds: [canonicalBytes(answer)],
    mutate: jsonMutator,
    run(input) {
      const directory = new Directory(engine, trust, folder, site.rosterBytes);
      directory.acceptPeer(did, parseJson(input, 65_536));
    },
  };
}

/** Makes a folder and says how a secret file gets into it. */
function inFolder(folder: string, name: string): (bytes: Uint8Array) => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  return (bytes) => {
    writeFileSync(path, bytes, { mode: 0o600 });
  };
}
