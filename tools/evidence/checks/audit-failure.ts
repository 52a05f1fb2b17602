/** Checks of what happens when the audit log cannot be kept: the twin has a stick, and it is pulled and put back. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { RunCheck } from '../check.ts';
import { claim, seal } from '../scene/carrying.ts';
import type { Scene, Written } from '../scene/scene.ts';

const STICK = 'pulled-stick';
const PATIENCE_MS = 15_000;
const ASK_MS = 200;

export const AUDIT_FAILURE_CHECKS: readonly RunCheck[] = [
  {
    id: 'audit-stops',
    layer: 'run',
    prepare: (written) => onStick(written, 'required'),
    async look(scene, see) {
      const stick = plugIn(scene);
      const reader = await scene.registered('historian', 'it');
      const first = await submit(scene);
      see('a block with the stick', first.status, 201);
      see('its record is', first.audit, 'durable');
      renameSync(stick, `${stick}-away`);
      const refused = await lastOf(scene, ({ status }) => status !== 201);
      see('a block without it', `${refused.status} ${refused.code}`, '503 audit-unavailable');
      const health = await scene.ask('management', { path: '/health' });
      see(
        'health says so',
        `${health.status} ${/the stick is missing/.exec(health.body.toString('utf8'))}`,
        '503 the stick is missing',
      );
      see('what is held is delivered', (await claim(reader)).block.length, first.bytes);
      renameSync(`${stick}-away`, stick);
      see('a block when it is back', (await lastOf(scene, ({ status }) => status === 201)).status, 201);
    },
    sabotages: {
      'goes-on': {
        mutations: [
          {
            file: 'relay/log/audit.ts',
            find: "if (this.view.mode === 'required-degraded')",
            replace: "if (this.view.mode === 'none')",
          },
        ],
      },
    },
  },
  {
    id: 'audit-goes-on',
    layer: 'run',
    prepare: (written) => onStick(written, 'best-effort'),
    async look(scene, see) {
      const stick = plugIn(scene);
      await scene.registered('historian', 'it');
      see('a block with the stick', (await submit(scene)).status, 201);
      renameSync(stick, `${stick}-away`);
      const told = await lastOf(scene, ({ audit }) => audit.includes('degraded'));
      see('a block without it', told.status, 201);
      see('its answer says so', told.audit.includes('degraded') ? 'yes' : 'no', 'yes');
      const health = (await scene.ask('management', { path: '/health' })).body.toString('utf8');
      see('health says so', /the stick is missing, \d+ records are not on it/.test(health) ? 'yes' : 'no', 'yes');
      const figures = (await scene.ask('management', { path: '/metrics' })).body.toString('utf8');
      see(
        'records that are missing there',
        Number(/^ghostpipe_log_unarchived_records (\d+)/m.exec(figures)?.[1] ?? 0),
        1,
        'at-least',
      );
    },
    sabotages: {
      silent: {
        mutations: [
          {
            file: 'relay/log/log-state.ts',
            find: "alarm !== null && mode === 'best-effort'",
            replace: "alarm !== null && mode === 'none'",
          },
        ],
      },
    },
  },
];

function onStick(written: Written, mode: string): Written {
  return { ...written, audit: { ...(written.audit as object), mode, stick: { path: STICK } } };
}

/** Makes the folder that stands for the stick. */
function plugIn(scene: Scene): string {
  const stick = join(dirname(scene.configPath), STICK);
  mkdirSync(stick);
  return stick;
}

interface Submitted {
  readonly status: number;
  readonly code: string;
  /** What the answer says of the log. */
  readonly audit: string;
  readonly bytes: number;
}

/** Hands in a new block of the sender. */
async function submit(scene: Scene): Promise<Submitted> {
  const block = seal(scene, 'plc', 'historian', new Uint8Array(randomBytes(64)));
  const { apiKey } = scene.enrolment('plc');
  const headers = { 'content-type': 'application/octet-stream' };
  await scene.registered('plc', 'ot');
  const answer = await scene.ask('ot', { method: 'POST', path: '/v2/inbound', headers, apiKey, body: block });
  const code = /"code":"([a-z-]+)"/.exec(answer.body.toString('utf8'))?.[1] ?? '';
  return { status: answer.status, code, audit: String(answer.headers['ghostpipe-audit'] ?? ''), bytes: block.length };
}

/** Hands in blocks until an answer is as wanted, or none is in time; gives the last one. */
async function lastOf(scene: Scene, isWanted: (answer: Submitted) => boolean): Promise<Submitted> {
  for (const until = Date.now() + PATIENCE_MS; ; await setTimeout(ASK_MS)) {
    const answer = await submit(scene);
    const isFull = answer.code === 'quota-exceeded' || answer.code === 'slots-full';
    if (isWanted(answer) || isFull || Date.now() > until) return answer;
  }
}
