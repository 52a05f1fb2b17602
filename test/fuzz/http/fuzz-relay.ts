/**
 * Fuzzes a relay over real TLS connections: raw bytes in place of a client's requests, several connections at a time.
 *
 * A relay answers with successes of its API and problems of the catalogue, or closes; it never says `internal`. Every
 * few hundred inputs a good block must still come through and every slot be free. Inputs run side by side, so code
 * coverage cannot be told apart: an input is kept when the statuses and problem codes that it got are new.
 */
import type { TLSSocket } from 'node:tls';
import type { Zone } from '../../../protocol/shapes.ts';
import { connectPinned } from '../../../tools/lib/pinned-tls.ts';
import { Corpus } from '../corpus.ts';
import { Failures } from '../failures.ts';
import type { FuzzOptions, Report } from '../fuzzer.ts';
import { type Held, heldNow, leakBetween } from '../memory.ts';
import { Random } from '../random.ts';
import { Broken } from '../target.ts';
import { readAnswers } from './answers.ts';
import { mutateMessage, SURFACES, type Surface, seedRequests, zoneOf } from './messages.ts';
import type { RelayScene } from './relay-scene.ts';

export const HTTP_TARGET = 'http';

const LANES = 16;
const ROUND = 320;
const WARM_UP = 0.25;
/** A connection that says nothing for so long, and owes no answer, has said all; then the client ends its half. */
const QUIET_MS = 20;
/** A relay that keeps a connection open for so long hangs, unless the options say otherwise. */
const CLOSE_MS = 20_000;
const SLOW_MS = 1000;

/** Fuzzes these surfaces of the relay of `scene`. */
export async function fuzzRelay(
  scene: RelayScene,
  options: FuzzOptions,
  surfaces: readonly Surface[] = SURFACES,
): Promise<Report> {
  const run = new HttpRun(scene, options, surfaces);
  let warm: Held | null = null;
  await scene.proveWell();
  while (run.inputs < options.inputs && !options.stopped?.()) {
    if (!warm && run.inputs >= options.inputs * WARM_UP) warm = heldNow();
    await run.round(Math.min(ROUND, options.inputs - run.inputs));
    options.onProgress?.(run.inputs);
  }
  return run.finish(warm ?? heldNow());
}

/** What one connection to `zone` gave for `input`; throws `Broken` when the relay has not closed it after `limitMs`. */
export async function send(
  { running, waiting }: RelayScene,
  zone: Zone,
  input: Uint8Array,
  limitMs = CLOSE_MS,
): Promise<Buffer> {
  const socket = await connectPinned(running.peer(zone));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let quiet: NodeJS.Timeout;
    const hang = setTimeout(() => {
      clearTimeout(quiet);
      socket.destroy();
      reject(new Broken(`the relay did not close within ${limitMs / 1000} s`));
    }, limitMs);
    const waitQuiet = (): void => {
      clearTimeout(quiet);
      quiet = setTimeout(() => (waiting.answerOwed(socket.localPort) ? waitQuiet() : socket.end()), QUIET_MS);
    };
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      waitQuiet();
    });
    socket.on('error', () => {}); // the relay may close while bytes are still being written
    socket.on('close', () => {
      clearTimeout(quiet);
      clearTimeout(hang);
      resolve(Buffer.concat(chunks));
    });
    writeAll(socket, input, waitQuiet);
  });
}

function writeAll(socket: TLSSocket, input: Uint8Array, written: () => void): void {
  if (input.length === 0) written();
  else socket.write(input, () => written());
}

class HttpRun {
  inputs = 0;
  readonly #scene: RelayScene;
  readonly #limitMs: number | undefined;
  readonly #random: Random;
  readonly #surfaces: readonly Surface[];
  readonly #corpora: ReadonlyMap<Surface, Corpus>;
  readonly #failures = new Failures();
  readonly #heard = new Set<string>();
  readonly #refused: Record<string, number> = {};
  readonly #started = performance.now();
  #accepted = 0;
  #slow = 0;
  #slowestMs = 0;

  constructor(scene: RelayScene, { seed, limitMs }: FuzzOptions, surfaces: readonly Surface[]) {
    this.#surfaces = surfaces;
    this.#scene = scene;
    this.#limitMs = limitMs;
    this.#random = new Random(`${seed} ${HTTP_TARGET}`);
    this.#corpora = new Map(surfaces.map((each) => [each, new Corpus(seedRequests(scene.site, each))]));
  }

  /** Sends `count` inputs over several connections at a time, then asks whether the relay is still well. */
  async round(count: number): Promise<void> {
    let left = count;
    let last: Uint8Array = new Uint8Array(0);
    const crashed = (error: unknown): void => this.#failures.add('crash', error, last);
    process.on('uncaughtException', crashed).on('unhandledRejection', crashed);
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const { surface, input } = this.#next();
        last = input;
        await this.#attempt(surface, input);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await this.#scene.proveWell().catch((thrown) => this.#failures.add('broken', thrown, last));
    process.off('uncaughtException', crashed).off('unhandledRejection', crashed);
    this.inputs += count;
  }

  finish(warm: Held): Report {
    const held = heldNow();
    const leak = leakBetween(warm, held);
    if (leak) this.#failures.add('leak', leak, new Uint8Array(0));
    return {
      target: HTTP_TARGET,
      inputs: this.inputs,
      accepted: this.#accepted,
      refused: this.#refused,
      corpus: [...this.#corpora.values()].reduce((sum, { size }) => sum + size, 0),
      covered: 0,
      slow: this.#slow,
      slowestMs: this.#slowestMs,
      seconds: (performance.now() - this.#started) / 1000,
      growth: { rssMiB: held.rssMiB - warm.rssMiB, heapMiB: held.heapMiB - warm.heapMiB },
      failures: this.#failures.all,
    };
  }

  #next(): { readonly surface: Surface; readonly input: Uint8Array } {
    const surface = this.#random.pick(this.#surfaces);
    const corpus = this.#corpora.get(surface)!;
    const input = mutateMessage(this.#random, corpus.pick(this.#random), corpus.pick(this.#random));
    return { surface, input };
  }

  async #attempt(surface: Surface, input: Uint8Array): Promise<void> {
    const before = performance.now();
    try {
      const { said, fault } = readAnswers(await send(this.#scene, zoneOf(surface), input, this.#limitMs));
      const logged = this.#scene.takeFault();
      if (fault ?? logged) this.#failures.add('crash', fault ?? logged, input);
      this.#count(surface, input, said);
    } catch (thrown) {
      this.#failures.add(thrown instanceof Broken ? 'hang' : 'crash', thrown, input);
    }
    const ms = performance.now() - before;
    if (ms > SLOW_MS) this.#slow++;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
  }

  #count(surface: Surface, input: Uint8Array, said: readonly string[]): void {
    for (const word of said.length > 0 ? said : ['closed']) {
      if (word.startsWith('2')) this.#accepted++;
      else this.#refused[word] = (this.#refused[word] ?? 0) + 1;
    }
    const signature = `${surface} ${said.slice(0, 8).join()}`;
    if (this.#heard.has(signature)) return;
    this.#heard.add(signature);
    this.#corpora.get(surface)!.add(input, this.#random);
  }
}
