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

/** What a function of the profile is counted as; the first that matches. */
const KINDS: readonly { readonly name: string; readonly matches: (call: Runtime.CallFrame) => boolean }[] = [
  { name: 'idle', matches: ({ functionName }) => functionName === '(idle)' },
  { name: 'garbage collection', matches: ({ functionName }) => functionName === '(garbage collector)' },
  { name: 'TLS and sockets, in C++ and the kernel', matches: ({ functionName }) => functionName === '(program)' },
  { name: 'TLS: writing', matches: ({ functionName }) => /^write(v|Buffer|GenericBuffer)$/.test(functionName) },
  { name: 'SHA-256', matches: ({ functionName }) => /^(update|digest|hash)$/i.test(functionName) },
  { name: 'copying into the slot', matches: ({ functionName }) => functionName === 'set' },
  { name: 'overwriting burned blocks', matches: ({ functionName }) => functionName === 'fill' },
  { name: 'relay', matches: ({ url }) => /\/(relay|protocol)\//.test(url) && !url.includes('node_modules') },
  { name: 'fastify and other packages', matches: ({ url }) => url.includes('node_modules') },
  { name: 'Node streams and HTTP, in JavaScript', matches: ({ url }) => url.startsWith('node:') },
];

/** One sentence for each kind of work, the largest first. */
export async function profileRelay(engine: Engine, blockBytes: number): Promise<string[]> {
  process.stderr.write('bench: relay: profile ...\n');
  const relay = await startRelayTarget(engine, { clients: CLIENTS, slots: 2 * CLIENTS, blockBytes, script: SCRIPT });
  try {
    await exchange(relay, CLIENTS, BLOCKS);
    await relay.stop();
    const profile = JSON.parse(readFileSync(join(relay.folder, 'profile.json'), 'utf8')) as Profiler.Profile;
    return ['where the time of the relay goes:', ...sentencesOf(sharesOf(profile))];
  } finally {
    await relay.close();
  }
}

/** Milliseconds by kind of work. */
function sharesOf({ nodes, samples, timeDeltas }: Profiler.Profile): Map<string, number> {
  const kindOf = new Map(nodes.map(({ id, callFrame }) => [id, kindOfCall(callFrame)]));
  const shares = new Map<string, number>();
  for (const [index, id] of (samples ?? []).entries()) {
    const kind = kindOf.get(id)!;
    shares.set(kind, (shares.get(kind) ?? 0) + timeDeltas![index]! / 1000);
  }
  shares.delete('idle');
  return shares;
}

function kindOfCall(call: Runtime.CallFrame): string {
  return KINDS.find(({ matches }) => matches(call))?.name ?? 'other';
}

function sentencesOf(shares: ReadonlyMap<string, number>): string[] {
  const total = [...shares.values()].reduce((sum, ms) => sum + ms, 0);
  return [...shares]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, ms]) => `  ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${kind}`);
}
