/** Everything that checks of the audit log look at: a copy of the log, and one reading that was carried meanwhile. */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Problem } from '../../../protocol/problem.ts';
import { carry } from './carrying.ts';
import { copyLog, type LogCopy } from './log-copy.ts';
import type { Scene } from './scene.ts';

/** The heads of a log come every 30 s: within this there are two, and the second covers what was carried. */
const PATIENCE_MS = 45_000;
const ASK_MS = 500;

export interface LogEvidence {
  readonly copy: LogCopy;
  /** Transfer id of the reading, in hex. */
  readonly transferId: string;
  /** Texts that no record may hold, by what they are. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Carries a reading, waits for the second head, and copies the log. Refuses `not-available` when none comes. */
export async function gatherLog(scene: Scene): Promise<LogEvidence> {
  const { plain, block, transferId } = await carry(scene);
  const before = await headsOf(scene);
  for (const until = Date.now() + PATIENCE_MS; (await headsOf(scene)) <= before; await setTimeout(ASK_MS)) {
    if (Date.now() > until) throw new Problem('not-available', `no new head came within ${PATIENCE_MS / 1000} s`);
  }
  const hash = createHash('sha256').update(block).digest();
  return {
    copy: await copyLog(scene),
    transferId,
    secrets: {
      'the reading in base64': Buffer.from(plain).toString('base64url').slice(0, 40),
      'the reading in hex': Buffer.from(plain).toString('hex').slice(0, 40),
      'the hash of the block in hex': hash.toString('hex'),
      'the hash of the block in base64': hash.toString('base64url'),
      'the API key of the sender': scene.enrolment('plc').apiKey,
      'the API key of the receiver': scene.enrolment('historian').apiKey,
      'an address': scene.address,
    },
  };
}

async function headsOf(scene: Scene): Promise<number> {
  const { body } = await scene.ask('management', { path: '/v2/ct/sth/history' });
  return (JSON.parse(body.toString('utf8')) as { heads?: unknown[] }).heads?.length ?? 0;
}
