/** Turns a batch into the next block of the stream: who it is for, what the frame says, sealed and signed. */
import { equalBytes } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { blockCapacity, type Recipient, sealBlock } from '../../protocol/envelope.ts';
import { type FileGroup, type FrameFields, type FrameType, NO_GROUP } from '../../protocol/frame.ts';
import { encodeFileChunk, encodeIdle, encodeRecords, type IdleReport } from '../../protocol/payload.ts';
import { Problem } from '../../protocol/problem.ts';
import type { ResolvedRoute } from '../../protocol/roster.ts';
import type { Device } from '../lib/device.ts';
import type { Directory } from '../lib/directory.ts';
import type { Batch } from './batch.ts';
import type { Run } from './run-state.ts';

/** Less room than this in a block is a plan that cannot work. */
const MIN_ROOM_BYTES = 1024;

export interface SealerOptions {
  readonly engine: Engine;
  readonly device: Device;
  readonly directory: Directory;
  readonly route: ResolvedRoute;
  readonly blockBytes: number;
  readonly views: number;
  readonly ttlSeconds: number;
  readonly burnAtClaim: boolean;
  readonly streamId: Uint8Array;
  readonly run: Run;
  /** Wall time in ms, told to receivers and never decided by. */
  readonly wallMs: () => number;
  /** Monotonic ms. */
  readonly nowMs: () => number;
}

/** A sealed block on its way. */
export interface OutgoingBlock {
  readonly blockSeq: number;
  readonly bytes: Uint8Array;
  readonly recipients: readonly Recipient[];
}

export class Sealer {
  readonly #options: SealerOptions;
  readonly #startedMs: number;

  constructor(options: SealerOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    if (this.room < MIN_ROOM_BYTES) {
      const fact = `${options.route.recipients.length} receivers leave ${this.room} bytes of a block for data`;
      throw new Problem(
        'profile-mismatch',
        `${fact}, ${MIN_ROOM_BYTES} are needed: take larger blocks or fewer receivers`,
      );
    }
  }

  /** Bytes of plain data that fit a block of this route. */
  get room(): number {
    return blockCapacity(this.#options.blockBytes, this.#options.route.recipients.length);
  }

  /** Names of receivers whose keys are not known yet: no block can be sealed until they are. */
  missing(): string[] {
    return this.#options.route.recipients
      .filter(({ did }) => this.#options.directory.recipient(did) === undefined)
      .map(({ name }) => name);
  }

  /**
   * Seals `batch` as block `blockSeq` into `target`, a whole block; an idle one says what `report` does, and that
   * `nextSeq` is the next record. Needs `missing()` to be empty.
   */
  seal(target: Uint8Array, batch: Batch, blockSeq: number, nextSeq: number, report: () => IdleReport): OutgoingBlock {
    const { engine, device, views, ttlSeconds, burnAtClaim } = this.#options;
    const recipients = this.#recipients();
    const { plain, ...fields } = contentOf(batch, nextSeq, report);
    sealBlock(engine, target, {
      recipients,
      views,
      ttlSeconds,
      burnAtClaim,
      signer: device.signer,
      fields: { ...this.#fields(blockSeq), ...fields },
      plain,
    });
    return { blockSeq, bytes: target, recipients };
  }

  /** Whether a sealed block still reaches its readers: none of them has got another key since. */
  isCurrent({ recipients }: OutgoingBlock): boolean {
    return this.#recipients().every(({ keyId }, i) => equalBytes(keyId, recipients[i]!.keyId));
  }

  #recipients(): Recipient[] {
    const { route, directory } = this.#options;
    return route.recipients.map(({ did }) => directory.recipient(did)!);
  }

  #fields(
    blockSeq: number,
  ): Omit<FrameFields, 'ackSeed' | 'codec' | 'plainBytes' | 'type' | 'firstRecord' | 'recordCount' | 'group'> {
    const { device, streamId, run, wallMs, nowMs, ttlSeconds } = this.#options;
    const now = Math.trunc(wallMs());
    return {
      senderDigest: device.digest,
      keyGeneration: device.generation,
      streamId,
      run: run.run,
      previousRun: run.previousRun,
      blockSeq,
      wallTimeMs: now,
      timeQuality: 'operator',
      monotonicMs: Math.trunc(nowMs() - this.#startedMs),
      expiryMs: now + ttlSeconds * 1000,
    };
  }
}

function contentOf(
  batch: Batch,
  nextSeq: number,
  report: () => IdleReport,
): { type: FrameType; firstRecord: number; recordCount: number; group: FileGroup; plain: Uint8Array } {
  switch (batch.type) {
    case 'records': {
      const { length, 0: first } = batch.records;
      const plain = encodeRecords(batch.records);
      return { type: 'records', firstRecord: first!.seq, recordCount: length, group: NO_GROUP, plain };
    }
    case 'fileChunk': {
      const { seq, group } = batch.record;
      return { type: 'fileChunk', firstRecord: seq, recordCount: 1, group, plain: encodeFileChunk(batch.record) };
    }
    case 'idle': {
      const plain = encodeIdle(report());
      return { type: 'idle', firstRecord: nextSeq, recordCount: 0, group: NO_GROUP, plain };
    }
  }
}
