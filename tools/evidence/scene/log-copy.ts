/** A copy of an audit log: statement, heads, records, and a proof of growth. That of a twin is read by its calls. */
import { parseJson } from '../../../protocol/canonical.ts';
import { Problem } from '../../../protocol/problem.ts';
import type { Scene } from './scene.ts';

const LIMIT = 8_388_608;

/** A signed head as the feed gives it; nothing of it is believed yet. */
export interface Head {
  readonly size: number;
  readonly checkpoint: Uint8Array;
}

export interface LogCopy {
  readonly origin: string;
  readonly logPin: string;
  /** Leaf 0, as it was sent with its proof. */
  readonly statement: Uint8Array;
  /** Signed heads, oldest first. */
  readonly heads: readonly Head[];
  readonly records: readonly Uint8Array[];
  /** Proof that the newest head continues the oldest; null for an export, whose records give the root of every head. */
  readonly growth: Uint8Array | null;
  /** When the copy was made: by the clock of this host, or for an export by its newest head. */
  readonly copiedMs: number;
}

/** Reads the log as an auditor; the sabotage of the scene may change the copy. */
export async function copyLog(scene: Scene): Promise<LogCopy> {
  await scene.registered('auditor', 'management');
  const { apiKey } = scene.enrolment('auditor');
  const json = async (path: string): Promise<Record<string, unknown>> => {
    const headers = { accept: 'application/json' };
    const { status, body } = await scene.ask('management', { path, apiKey, headers });
    if (status !== 200) throw new Problem('not-available', `${path} of the log is answered by ${status}`);
    return parseJson(body, LIMIT) as Record<string, unknown>;
  };
  const epoch = await json('/v2/ct/epoch');
  const feed = (await scene.ask('management', { path: '/v2/ct/feed.xml' })).body.toString('utf8');
  const heads = headsOf(feed, String(epoch.origin));
  const sizes = heads.map(({ size }) => size);
  const records = [];
  for (const newest = Math.max(...sizes); records.length < newest; ) {
    const page = (await json(`/v2/ct/log?from=${records.length}`)).records as string[];
    if (page.length === 0) throw new Problem('not-available', `the log gives ${records.length} records of ${newest}`);
    records.push(...page.map((record) => Buffer.from(record)));
  }
  const { body } = await scene.ask('management', { path: `/v2/ct/consistency?from=${Math.min(...sizes)}` });
  const copy: LogCopy = {
    origin: String(epoch.origin),
    logPin: (await scene.relay()).logPin,
    statement: Buffer.from(String(epoch.statement)),
    heads,
    records,
    growth: body,
    copiedMs: Date.now(),
  };
  return scene.sabotage.log?.(copy) ?? copy;
}

/** The notes in a feed that are heads of `origin`, oldest first. */
function headsOf(feed: string, origin: string): Head[] {
  const notes = [...feed.matchAll(/<description>([^<]*)<\/description>/g)].map(([, note]) =>
    note!.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
  );
  return notes
    .filter((note) => note.startsWith(`${origin}\n`))
    .map((note) => ({ size: Number(note.split('\n')[1]), checkpoint: Buffer.from(note) }))
    .reverse();
}
