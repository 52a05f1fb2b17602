/** Load: clients that hand blocks in and get them back, all at once, each waiting for its own answers. */
import { type CpuSeconds, cpuSecondsOf } from './process-stat.ts';

/** One client of a server: the same calls, whichever server it is. */
export interface LoadClient {
  /** Hands in a block that no other is equal to. */
  submit(): Promise<void>;
  /** Gets the next block back, whole. */
  claim(): Promise<void>;
}

/** A server under load. */
export interface Target {
  readonly name: string;
  /** All its processes. */
  readonly pids: readonly number[];
  readonly clients: readonly LoadClient[];
  readonly blockBytes: number;
}

export interface Measured {
  readonly blocks: number;
  readonly seconds: number;
  readonly cpu: CpuSeconds;
  readonly submitMs: readonly number[];
  readonly claimMs: readonly number[];
}

/** `blocks` blocks through the first `clients` clients, each of which submits and claims in turn. */
export function exchange(target: Target, clients: number, blocks: number): Promise<Measured> {
  return measure(target, clients, blocks, async (client, count, submitMs, claimMs) => {
    for (let i = 0; i < count; i++) {
      await timed(submitMs, () => client.submit());
      await timed(claimMs, () => client.claim());
    }
  });
}

/** `each` blocks of each of the first `clients` clients, submitted only, or claimed only. */
export function oneWay(target: Target, clients: number, each: number, way: 'submit' | 'claim'): Promise<Measured> {
  return measure(target, clients, clients * each, async (client, count, submitMs, claimMs) => {
    const times = way === 'submit' ? submitMs : claimMs;
    for (let i = 0; i < count; i++) await timed(times, () => client[way]());
  });
}

/** All of `parts` as if they were one. */
export function together(parts: readonly Measured[]): Measured {
  const sum = (value: (part: Measured) => number) => parts.reduce((total, part) => total + value(part), 0);
  return {
    blocks: sum(({ blocks }) => blocks),
    seconds: sum(({ seconds }) => seconds),
    cpu: { user: sum(({ cpu }) => cpu.user), system: sum(({ cpu }) => cpu.system) },
    submitMs: parts.flatMap(({ submitMs }) => submitMs),
    claimMs: parts.flatMap(({ claimMs }) => claimMs),
  };
}

/** Processor seconds for each GB (10^9 bytes) of blocks. */
export function cpuPerGB({ cpu, blocks }: Pick<Measured, 'cpu' | 'blocks'>, blockBytes: number): number {
  return (cpu.user + cpu.system) / ((blocks * blockBytes) / 1e9);
}

async function measure(
  { pids, clients }: Target,
  count: number,
  blocks: number,
  work: (client: LoadClient, count: number, submitMs: number[], claimMs: number[]) => Promise<void>,
): Promise<Measured> {
  const [submitMs, claimMs]: [number[], number[]] = [[], []];
  const each = Math.ceil(blocks / count);
  const before = cpuSecondsOf(pids);
  const start = performance.now();
  await Promise.all(clients.slice(0, count).map((client) => work(client, each, submitMs, claimMs)));
  const seconds = (performance.now() - start) / 1000;
  const after = cpuSecondsOf(pids);
  const cpu = { user: after.user - before.user, system: after.system - before.system };
  return { blocks: each * count, seconds, cpu, submitMs, claimMs };
}

async function timed(times: number[], action: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await action();
  times.push(performance.now() - start);
}
