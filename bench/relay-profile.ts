/** Where the relay's time goes: the share of each kind of work, from a profile of a relay of its own under load. */
import { readFileSync } from 'node:fs';
import type { Profiler, Runtime } from 'node:inspector';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../protocol/engine/engine.ts';
import { exchange } from './load.ts';
import { startRelayTarget } from './relay-target.ts';

const SCRIPT = fileURLToPath(new URL('./profiled-relay.ts', import.meta.url));
const CLIENTS = 8;
const BLOCKS = 240;

const HASHING = 'SHA-256';

interface Kind {
  readonly name: string;
  /** Whether a sample whose innermost function is this one counts here. */
  matches(call: Runtime.CallFrame): boolean;
}

/** The first that matches counts. What the profiler takes for idle, C++ below the event loop among it, is none. */
const KINDS: readonly Kind[] = [
  {
    name: HASHING,
    matches: ({ functionName, url }) => functionName === 'update' || url === 'node:internal/crypto/hash',
  },
  { name: 'copying into the slot', matches: ({ url }) => url.endsWith('/relay/body.ts') },
  { name: 'overwriting burned blocks', matches: ({ functionName }) => functionName === '_fill' },
  { name: 'TLS and the kernel: sending', matches: ({ functionName }) => /^(writev|writeBuffer)$/.test(functionName) },
  { name: 'garbage collection', matches: ({ functionName }) => functionName === '(garbage collector)' },
  { name: 'Node: streams and HTTP', matches: ({ url }) => url.startsWith('node:') },
  { name: 'Fastify and other packages', matches: ({ url }) => url.includes('/node_modules/') },
  { name: 'the rest of the relay', matches: ({ url }) => url !== '' },
];
/** Where no JavaScript stands above: what the kernel counts of the process, less what the samples say. */
const REST = 'TLS and the kernel: receiving; helper threads';

/**
 * One sentence for each kind of work, the largest first. Samples are of wall time; the processor time of hashing, which
 * is known (`sha256`, seconds for each GB), says how much a sample is worth.
 */
export async function profileRelay(engine: Engine, blockBytes: number, sha256: number): Promise<string[]> {
  process.stderr.write('bench: relay: profile ...\n');
  const relay = await startRelayTarget(engine, { clients: CLIENTS, slots: 2 * CLIENTS, blockBytes, script: SCRIPT });
  try {
    await exchange(relay, CLIENTS, BLOCKS / 4);
    const from = monotonicMicroseconds();
    const { cpu } = await exchange(relay, CLIENTS, BLOCKS);
    const to = monotonicMicroseconds();
    await relay.stop();
    const profile = JSON.parse(readFileSync(join(relay.folder, 'profile.json'), 'utf8')) as Profiler.Profile;
    const sampled = samplesByKind(profile, from, to);
    const worth = (sha256 * ((BLOCKS * blockBytes) / 1e9)) / sampled.get(HASHING)!;
    const seconds = new Map([...sampled].map(([kind, wall]) => [kind, wall * worth]));
    const known = [...seconds.values()].reduce((sum, each) => sum + each, 0);
    seconds.set(REST, Math.max(0, cpu.user + cpu.system - known));
    return ['where the time of the relay goes (submit and claim, 8 clients):', ...sentencesOf(seconds)];
  } finally {
    await relay.close();
  }
}

/** The clock that V8 stamps its samples with. */
function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Wall time of the main thread in each kind of work between two moments, in seconds. */
function samplesByKind({ nodes, samples, timeDeltas, startTime }: Profiler.Profile, from: number, to: number) {
  const kindOf = new Map(nodes.map(({ id, callFrame }) => [id, KINDS.find((kind) => kind.matches(callFrame))?.name]));
  const seconds = new Map<string, number>();
  let at = startTime;
  for (const [index, id] of (samples ?? []).entries()) {
    const delta = timeDeltas![index]!;
    at += delta;
    const kind = kindOf.get(id);
    if (kind && at >= from && at < to) seconds.set(kind, (seconds.get(kind) ?? 0) + delta / 1e6);
  }
  return seconds;
}

function sentencesOf(seconds: ReadonlyMap<string, number>): string[] {
  const total = [...seconds.values()].reduce((sum, each) => sum + each, 0);
  return [...seconds]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, each]) => `  ${((100 * each) / total).toFixed(1).padStart(5)} %  ${kind}`);
}
