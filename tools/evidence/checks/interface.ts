/** Checks of what people and browsers meet, and of what answers tell. */

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { MIN_BLOCK_BYTES } from '../../../protocol/block.ts';
import { CONTROL_BYTES, encodeControl } from '../../../protocol/control.ts';
import type { RunCheck } from '../check.ts';
import { carry, seal, submit } from '../scene/carrying.ts';
import type { Scene, Written } from '../scene/scene.ts';

const STATUS_PAGE = 'relay/monitor/status-page.ts';
const USE_NOTICE = 'Only for the people of this plant. What is done here is recorded.';
const OCTETS = { 'content-type': 'application/octet-stream' };
const TELLING: Readonly<Record<string, RegExp>> = {
  'a stack': /\n\s+at |\bat \S+ \(|\bat file:/,
  'a source file': /\.(ts|js|mjs)\b|node_modules/,
  'a path': /\/(usr|etc|opt|proc|home)\//,
  'a version': /\b\d+\.\d+\.\d+\b/,
  'a key': /pgp_/,
};

export const INTERFACE_CHECKS: readonly RunCheck[] = [
  {
    id: 'errors-plain',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('plc', 'ot');
      const { apiKey } = scene.enrolment('plc');
      const inbound = { method: 'POST', path: '/v2/inbound', apiKey };
      const answers = await Promise.all(
        [
          { path: '/nothing' },
          inbound,
          { ...inbound, headers: OCTETS, body: 'short' },
          { ...inbound, headers: OCTETS, body: new Uint8Array(MIN_BLOCK_BYTES) },
          { method: 'POST', path: '/v2/did/register', apiKey, headers: { 'content-type': 'text/plain' }, body: '{' },
          { path: `/v2/status/${'0'.repeat(32)}`, apiKey },
        ].map((question) => scene.ask('ot', question)),
      );
      see('refusals', answers.filter(({ status }) => status >= 400).length, answers.length);
      const texts = answers.map(({ headers, body }) => `${JSON.stringify(headers)} ${body.toString('utf8')}`);
      for (const [what, pattern] of Object.entries(TELLING)) {
        see(`refusals that tell ${what}`, texts.filter((text) => pattern.test(text)).length, 0);
      }
      const coded = answers.filter(({ body }) => /"code":"[a-z-]+"/.test(body.toString('utf8')));
      see('refusals with a code', coded.length, answers.length);
    },
    sabotages: {
      stack: {
        mutations: [
          {
            file: 'relay/http/problem-reply.ts',
            find: "'The log of the relay says what happened.' : detail",
            replace: "'' : detail + new Error().stack",
          },
        ],
      },
    },
  },
  {
    id: 'input-strict',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('plc', 'ot');
      await scene.registered('historian', 'it');
      const [sender, reader] = [scene.enrolment('plc').apiKey, scene.enrolment('historian').apiKey];
      const block = seal(scene, 'plc', 'historian', new Uint8Array(randomBytes(64)));
      const inbound = { method: 'POST', path: '/v2/inbound', headers: OCTETS, apiKey: sender };
      const claim = { method: 'POST', path: '/v2/claim', headers: OCTETS, apiKey: reader };
      const refused = async (name: string, zone: 'ot' | 'it', question: Parameters<Scene['ask']>[1]) => {
        const status = await scene.ask(zone, question).then(
          (answer) => answer.status,
          () => 400, // the connection was closed on it
        );
        see(name, status >= 400 && status < 500 ? 'refused' : `answered by ${status}`, 'refused');
      };
      for (const size of [0, 1, MIN_BLOCK_BYTES - 1]) {
        await refused(`a block of ${size} bytes`, 'ot', { ...inbound, body: block.subarray(0, size) });
      }
      await refused('a block with a byte more', 'ot', { ...inbound, body: Buffer.concat([block, Buffer.of(0)]) });
      await refused('random bytes as a block', 'ot', {
        ...inbound,
        body: new Uint8Array(randomBytes(MIN_BLOCK_BYTES)),
      });
      await refused('a control frame that is random', 'it', {
        ...claim,
        body: new Uint8Array(randomBytes(CONTROL_BYTES)),
      });
      await refused('a control frame without a session', 'it', { ...claim, body: encodeControl([]) });
      const json = { 'content-type': 'application/json' };
      const register = { method: 'POST', path: '/v2/did/register', headers: json, apiKey: sender };
      for (const body of ['{', '[]', '{"identity":1,"grant":2,"keyStatement":3}', '"\ud800"']) {
        await refused(`a registration that is ${JSON.stringify(body)}`, 'ot', { ...register, body });
      }
      await refused('a header of 16 KiB', 'ot', {
        path: '/v2/roster',
        apiKey: sender,
        headers: { x: 'x'.repeat(16_384) },
      });
      const health = await scene.ask('management', { path: '/health' });
      see('health afterwards', health.status, 200);
      see('a good block afterwards', (await scene.ask('ot', { ...inbound, body: block })).status, 201);
    },
    sabotages: {
      'any-size': {
        mutations: [
          { file: 'relay/http/body.ts', find: 'announced !== String(length)', replace: "announced === 'none'" },
          {
            file: 'relay/http/body.ts',
            find: 'target?.set(chunk, at);',
            replace: 'target?.set(chunk.subarray(0, Math.max(0, length - at)), Math.min(at, length));',
          },
        ],
      },
    },
  },
  {
    id: 'no-sessions',
    layer: 'run',
    async look(scene, see) {
      const { reader } = await carry(scene);
      const { apiKey } = scene.enrolment('historian');
      const answers = [];
      for (const path of ['/', '/status.json', '/health', '/metrics', '/checkpoint', '/v2/ct/epoch']) {
        answers.push(await scene.ask('management', { path }));
      }
      answers.push(await scene.ask('it', { path: '/v2/roster', apiKey }));
      const cookies = answers.filter(({ headers }) => headers['set-cookie'] !== undefined);
      see('answers', answers.length, 7);
      see('answers that set a cookie', cookies.length, 0);
      const tokens = answers.filter(({ headers }) =>
        Object.keys(headers).some((name) => /token|session|auth/i.test(name)),
      );
      see('answers with a header of a session', tokens.length, 0);
      const sessionId = new Uint8Array(randomBytes(16));
      const session = { type: 'session', sessionId, maxLeases: 4 } as const;
      await reader.claim([session], MIN_BLOCK_BYTES);
      const body = encodeControl([session]);
      const { status } = await scene.ask('it', { method: 'POST', path: '/v2/claim', headers: OCTETS, body });
      see('a claim in an open session without a key', status, 404);
    },
    sabotages: {
      cookie: {
        mutations: [
          {
            file: 'relay/http/listener.ts',
            find: 'response.sendDate = false;',
            replace: "response.sendDate = false;\n        response.setHeader('set-cookie', 'seat=1');",
          },
        ],
      },
    },
  },
  {
    id: 'no-passwords',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('plc', 'ot');
      const { apiKey } = scene.enrolment('plc');
      see('a call with the API key', (await scene.ask('ot', { path: '/v2/roster', apiKey })).status, 200);
      const authorization = `Basic ${Buffer.from(`plc:${apiKey}`).toString('base64')}`;
      see(
        'a call with HTTP Basic',
        (await scene.ask('ot', { path: '/v2/roster', headers: { authorization } })).status,
        404,
      );
      const openapi = (await scene.ask('management', { path: '/openapi.json' })).body.toString('utf8');
      see('the description names a password', /passwor[d]|passphrase|\bpin code\b/i.test(openapi) ? 'yes' : 'no', 'no');
      const { components } = JSON.parse(openapi) as {
        components: { securitySchemes: Record<string, { scheme: string }> };
      };
      const schemes = Object.values(components.securitySchemes).map(({ scheme }) => scheme);
      see('ways in that it names', schemes.join(' '), 'bearer');
      const { code } = await checkConfig(scene, (written) => ({ ...written, password: 'secret' }));
      see('exit code with a password in the configuration', code, 3);
    },
    sabotages: {
      basic: {
        mutations: [
          {
            file: 'relay/members/auth.ts',
            find: "authorization?.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : ''",
            replace:
              "authorization?.startsWith('Basic ') ? (Buffer.from(authorization.slice(6), 'base64').toString().split(':')[1] ?? '') : (authorization?.slice(7) ?? '')",
          },
        ],
      },
    },
  },
  {
    id: 'use-notice',
    layer: 'run',
    prepare: (written) => ({ ...written, useNotice: USE_NOTICE }),
    async look(scene, see) {
      const page = (await scene.ask('management', { path: '/' })).body.toString('utf8');
      const [notice, heading] = [page.indexOf(USE_NOTICE), page.indexOf('<h1>')];
      see('the notice stands on the page', notice < 0 ? 'no' : 'yes', 'yes');
      see('before anything of the relay', notice < heading ? 'yes' : 'no', 'yes');
      const { body } = await scene.ask('management', { path: '/status.json' });
      see('programs are given it', body.includes(USE_NOTICE) ? 'yes' : 'no', 'yes');
    },
    sabotages: {
      'not-shown': {
        mutations: [{ file: STATUS_PAGE, find: 'useNotice === undefined', replace: 'useNotice !== null' }],
      },
    },
  },
  {
    id: 'page-inert',
    layer: 'run',
    async look(scene, see) {
      const { headers, body } = await scene.ask('management', { path: '/' });
      const policy = String(headers['content-security-policy'] ?? '');
      const page = body.toString('utf8');
      see('type of the page', String(headers['content-type']), 'text/html; charset=utf-8');
      see('loads by default', /default-src ([^;]*)/.exec(policy)?.[1] ?? 'anything', "'none'");
      see('scripts that the policy allows', /script-src/.test(policy) ? 'some' : 'none', 'none');
      see('scripts on the page', [...page.matchAll(/<script|\son\w+=|javascript:/gi)].length, 0);
      see('things loaded from elsewhere', [...page.matchAll(/(src|href)="https?:/gi)].length, 0);
      const sender = await scene.registered('plc', 'ot');
      await scene.registered('historian', 'it');
      await submit(sender, seal(scene, 'plc', 'historian', new Uint8Array(randomBytes(64))));
      const { apiKey } = scene.enrolment('historian');
      const session = encodeControl([{ type: 'session', sessionId: new Uint8Array(16), maxLeases: 1 }]);
      const block = await scene.ask('it', {
        method: 'POST',
        path: '/v2/claim',
        headers: OCTETS,
        body: session,
        apiKey,
      });
      see('type of a block', String(block.headers['content-type']), 'application/octet-stream');
    },
    sabotages: {
      script: {
        mutations: [{ file: STATUS_PAGE, find: '<h1>Relay', replace: '<script src="/x.js"></script><h1>Relay' }],
      },
      'no-policy': {
        mutations: [{ file: STATUS_PAGE, find: "'content-security-policy': [", replace: "'x-no-policy': [" }],
      },
    },
  },
  {
    id: 'config-strict',
    layer: 'run',
    async look(scene, see) {
      const first = (written: Written, change: object): Written => ({
        ...written,
        listeners: written.listeners.map((each, i) =>
          i === 0 ? { ...each, ...change } : each,
        ) as Written['listeners'],
      });
      const { code, stdout } = await checkConfig(scene, (written) => written);
      see('exit code of the configuration in use', code, 0);
      const printed = code === 0 ? (JSON.parse(stdout) as Written).listeners.length : -1;
      see('listeners that it prints', printed, scene.written.listeners.length);
      const faults: Readonly<Record<string, (written: Written) => object>> = {
        'an unknown key': (written) => ({ ...written, listener: [] }),
        'a data call without pq': (written) => first(written, { tls: 'classic', calls: ['inbound'] }),
        'a plain listener off loopback': (written) =>
          first(written, { tls: 'off', calls: ['health'], address: '0.0.0.0' }),
        'a status page outside management': (written) => first(written, { zone: 'ot', calls: ['status-page'] }),
      };
      for (const [name, change] of Object.entries(faults)) {
        see(`exit code with ${name}`, (await checkConfig(scene, change)).code, 3);
      }
    },
    sabotages: {
      unsafe: {
        mutations: [
          { file: 'protocol/config.ts', find: 'config.listeners.forEach(refuseUnsafeListener);', replace: '' },
        ],
      },
    },
  },
];

/** What `ghostpipe-relay --check` says of a changed configuration. */
function checkConfig(scene: Scene, change: (written: Written) => object): ReturnType<Scene['run']> {
  const path = join(scene.folder, 'site', 'relay', 'changed.yaml');
  writeFileSync(path, stringify(change(scene.written)));
  return scene.run(['relay', '--config', path, '--check']);
}
