/**
 * The relay against nginx and one SHA-256 of the bytes, in processor seconds of the server for each GB: both serve the
 * same load generator over the same TLS, in turn, so that drift of the machine meets both.
 */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DEFAULT_BLOCK_BYTES } from '../protocol/block.ts';
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { connectPinned, type PinnedPeer } from '../tools/lib/pinned-tls.ts';
import { ToolProcess } from '../tools/lib/tool-process.ts';
import { type Figures, judge, type PartResult, quantile, round } from './figures.ts';
import { cpuPerGB, exchange, type Measured, oneWay, type Target, together } from './load.ts';
import { NGINX_PACKAGES, startNginx } from './nginx.ts';
import { type NginxTarget, nginxTarget } from './nginx-target.ts';
import { rssMiBOf } from './process-stat.ts';
import { profileRelay } from './relay-profile.ts';
import { type RelayTarget, startRelayTarget } from './relay-target.ts';
import { unpackTrixie } from './trixie.ts';

const CACHE = join(import.meta.dirname, '..', '.bench', 'trixie');
const SLOTS = 64;
const MOST_CLIENTS = 32;
const MIB = 1_048_576;

/** Blocks for each number of clients. What the relay grows by is told after the last. */
const PLAN = { 1: 100, 8: 320, 32: 2016 } as const;
const QUICK_PLAN = { 1: 4, 8: 16, 32: 64 } as const;
/** nginx is known to be steady: a part of the relay's blocks tells enough. */
const NGINX_SHARE = 0.3;
/** Blocks that one takes before the other has its turn. */
const SLICE = 192;

export interface RelayBenchOptions {
  /** A few blocks only: whether it works, not how fast. */
  readonly quick: boolean;
  /** Aborts between two slices. */
  readonly asked: AbortSignal;
}

export async function benchRelay({ quick, asked }: RelayBenchOptions): Promise<PartResult> {
  const plan = Object.entries(quick ? QUICK_PLAN : PLAN).map(([clients, blocks]) => [Number(clients), blocks] as const);
  const blockBytes = DEFAULT_BLOCK_BYTES;
  const unpacked = unpackTrixie(CACHE, NGINX_PACKAGES);
  await new ToolProcess(['relay', '--version'], { onLine: () => {} }).exited; // so that what is compiled is kept, as by any earlier start
  const relay = await startRelayTarget(engine, { clients: MOST_CLIENTS, slots: SLOTS, blockBytes });
  try {
    const ours = await negotiated(relay.peer);
    const nginx = await startNginx(engine, unpacked, ours.cipher);
    const other = nginxTarget(nginx, MOST_CLIENTS, blockBytes);
    try {
      const theirs = await negotiated(nginx.peer);
      const held = await holdAll(relay);
      const levels = await runLevels(relay, other, plan, asked);
      await relay.settle();
      const figures = {
        ...memoryFigures(held, rssMiBOf(relay.pid)),
        ...figuresOf(levels, blockBytes),
        ...(await splitFigures(relay, other, blockBytes, quick)),
        'relay.refusals': relay.refusals(),
        'relay.group': ours.group,
        'relay.cipher': ours.cipher,
        'nginx.group': theirs.group,
        'nginx.cipher': theirs.cipher,
      };
      return conclude(figures, quick ? [] : await profileRelay(engine, blockBytes, levels.at(-1)!.sha256));
    } finally {
      other.close();
      await nginx.close();
    }
  } finally {
    await relay.close();
  }
}

/** What a client that takes our group only agrees on with a server. */
async function negotiated(peer: PinnedPeer): Promise<{ readonly group: string; readonly cipher: string }> {
  const socket = await connectPinned(peer);
  try {
    const { name } = socket.getEphemeralKeyInfo() as { name?: string };
    return { group: name ?? 'unknown', cipher: socket.getCipher().name };
  } finally {
    socket.destroy();
  }
}

/** Resident memory in MiB while every slot holds a block, which are then claimed. */
async function holdAll(relay: RelayTarget): Promise<number> {
  await oneWay(relay, MOST_CLIENTS, SLOTS / MOST_CLIENTS, 'submit');
  const held = rssMiBOf(relay.pid);
  await oneWay(relay, MOST_CLIENTS, SLOTS / MOST_CLIENTS, 'claim');
  await relay.settle();
  return held;
}

interface Level {
  readonly clients: number;
  readonly relay: Measured;
  readonly nginx: Measured;
  /** Processor seconds of one SHA-256 for each GB. */
  readonly sha256: number;
}

async function runLevels(
  relay: RelayTarget,
  nginx: NginxTarget,
  plan: readonly (readonly [number, number])[],
  asked: AbortSignal,
): Promise<Level[]> {
  const levels: Level[] = [];
  for (const [clients, blocks] of plan) {
    const slices = Math.ceil(blocks / SLICE);
    const parts: Level[] = [];
    for (let slice = 0; slice < slices; slice++) {
      asked.throwIfAborted();
      process.stderr.write(`bench: relay: ${clients} clients, ${slice + 1} of ${slices} ...\n`);
      parts.push({
        clients,
        relay: await exchange(relay, clients, blocks / slices),
        nginx: await exchange(nginx, clients, (blocks / slices) * NGINX_SHARE),
        sha256: sha256PerGB(relay.blockBytes),
      });
    }
    levels.push({
      clients,
      relay: together(parts.map((part) => part.relay)),
      nginx: together(parts.map((part) => part.nginx)),
      sha256: parts.reduce((sum, part) => sum + part.sha256, 0) / parts.length,
    });
  }
  return levels;
}

/** Processor seconds of this process for each GB that goes through OpenSSL's SHA-256. */
function sha256PerGB(blockBytes: number): number {
  const block = randomBytes(blockBytes);
  const blocks = 40;
  const before = process.cpuUsage();
  for (let i = 0; i < blocks; i++) createHash('sha256').update(block).digest();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6 / ((blocks * blockBytes) / 1e9);
}

function memoryFigures(heldMiB: number, endMiB: number): Figures {
  return {
    'relay.rssHeldMiB': round(heldMiB),
    'relay.rssEndMiB': round(endMiB),
    'relay.rssOverheadMiB': round(heldMiB - (SLOTS * DEFAULT_BLOCK_BYTES) / MIB),
    'relay.rssGrowthMiB': round(endMiB - heldMiB),
  };
}

function figuresOf(levels: readonly Level[], blockBytes: number): Figures {
  const figures: Figures = {};
  for (const { clients, relay, nginx, sha256 } of levels) {
    for (const [name, measured] of Object.entries({ relay, nginx })) {
      const { blocks, seconds, submitMs, claimMs } = measured;
      figures[`${name}.cpuSecondsPerGB.${clients}`] = round(cpuPerGB(measured, blockBytes));
      figures[`${name}.mbPerSecond.${clients}`] = round((blocks * blockBytes) / 1e6 / seconds);
      for (const [way, times] of Object.entries({ submit: submitMs, claim: claimMs })) {
        figures[`${name}.${way}P50Ms.${clients}`] = round(quantile(times, 0.5));
        figures[`${name}.${way}P99Ms.${clients}`] = round(quantile(times, 0.99));
      }
    }
    figures[`sha256.cpuSecondsPerGB.${clients}`] = round(sha256);
    figures[`relay.cpuRatio.${clients}`] = round(cpuPerGB(relay, blockBytes) / (cpuPerGB(nginx, blockBytes) + sha256));
  }
  const { relay, nginx, sha256 } = levels.at(-1)!;
  figures['relay.cpuRatio'] = round(cpuPerGB(relay, blockBytes) / (cpuPerGB(nginx, blockBytes) + sha256));
  figures['relay.p99OverP50'] = round(
    Math.max(...[relay.submitMs, relay.claimMs].map((times) => quantile(times, 0.99) / quantile(times, 0.5))),
  );
  return figures;
}

/** Submit and claim apart, at 8 clients. */
async function splitFigures(
  relay: RelayTarget,
  nginx: NginxTarget,
  blockBytes: number,
  quick: boolean,
): Promise<Figures> {
  const parts = new Map<string, Measured[]>();
  for (let turn = 0; turn < (quick ? 1 : 4); turn++) {
    for (const target of [relay, nginx] as readonly Target[]) {
      for (const way of ['submit', 'claim'] as const) {
        const name = `${target.name}.${way}CpuSecondsPerGB`;
        parts.set(name, [...(parts.get(name) ?? []), await oneWay(target, 8, 4, way)]);
      }
    }
  }
  await relay.settle();
  return Object.fromEntries([...parts].map(([name, all]) => [name, round(cpuPerGB(together(all), blockBytes))]));
}

/** What the figures come to. The ratio counts only when both servers agreed with the client on the same. */
export function conclude(figures: Figures, profile: readonly string[]): PartResult {
  const of = (name: string) => figures[name] as number;
  const [group, cipher] = ['group', 'cipher'].map((what) => [figures[`relay.${what}`], figures[`nginx.${what}`]]);
  const notes = [
    `relay ${group![0]} ${cipher![0]}; nginx ${group![1]} ${cipher![1]}`,
    judge('relay CPU against nginx and one SHA-256', of('relay.cpuRatio'), 1),
    judge('p99 over p50 at 32 clients', of('relay.p99OverP50'), 4),
    judge('memory over the payload of 64 held blocks, MiB', of('relay.rssOverheadMiB'), 120),
    judge('refusals while a slot is free', of('relay.refusals'), 0),
    ...profile,
  ];
  if (group![0] === group![1] && cipher![0] === cipher![1]) return { figures, notes };
  return { figures: { ...figures, 'relay.cpuRatio': null }, notes, void: `group or cipher differ: ${notes[0]}` };
}
