/** Turns a batch into the next block of the stream: who it is for, what the frame says, sealed and signed. */
import { equalBytes } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { blockCapacity, type Recipient, sealBlock } from '../../protocol/envelope.ts';
import { type FileGroup, type FrameFields, type FrameType, NO_GROUP } from '../../protocol/frame.ts';
import { encodeFileChunk, encodeIdle, encodeRecords, type SourceState } from '../../protocol/payload.ts';
import { Problem } from '../../protocol/problem.ts';
import type { ResolvedRoute } from '../../protocol/roster.ts';
import type { Device } from '../lib/device.ts';
import type { Directory } from '../lib/directory.ts';
import type { Batch, Outbox } from './outbox.ts';
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
  /** Every block is built in this one buffer; it is free again when its exchange ended. */
  readonly #buffer: Uint8Array;
  #blockSeq = 0;

  constructor(options: SealerOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
    this.#buffer = new Uint8Array(options.blockBytes);
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

  /** Seals `batch` as the next block of the run; needs `missing()` to be empty. */
  seal(batch: Batch, outbox: Outbox, sourceState: SourceState): OutgoingBlock {
    const { engine, device, views, ttlSeconds, burnAtClaim } = this.#options;
    const recipients = this.#recipients();
    const blockSeq = this.#blockSeq++;
    const { plain, ...fields } = this.#content(batch, outbox, sourceState);
    sealBlock(engine, this.#buffer, {
      recipients,
      views,
      ttlSeconds,
      burnAtClaim,
      signer: device.signer,
      fields: { ...this.#fields(blockSeq), ...fields },
      plain,
    });
    return { blockSeq, bytes: this.#buffer, recipients };
  }

  /** Whether a sealed block still reaches its readers: none of them has got another key since. */
  isCurrent({ recipients }: OutgoingBlock): boolean {
    return this.#recipients().every(({ keyId }, i) => equalBytes(keyId, recipients[i]!.keyId));
  }

  #recipients(): Recipient[] {
    const { route, directory } = this.#options;
    return route.recipients.map(({ did }) => directory.recipient(did)!);
  }

  #content(
    batch: Batch,
    outbox: Outbox,
    sourceState: SourceState,
  ): { type: FrameType; firstRecord: number; recordCount: number; group: FileGroup; plain: Uint8Array } {
    switch (batch.type) {
      case 'records': {
        const [first] = batch.records;
        return {
          type: 'records',
          firstRecord: first!.seq,
          recordCount: batch.records.length,
          group: NO_GROUP,
          plain: encodeRecords(batch.records),
        };
      }
      case 'fileChunk': {
        const { seq, chunk } = batch.record;
        const { groupId: id, index, count, wholeSha256 } = chunk;
        return {
          type: 'fileChunk',
          firstRecord: seq,
          recordCount: 1,
          group: { id, index, count, wholeSha256 },
          plain: encodeFileChunk({ name: chunk.name, bytes: chunk.load() }),
        };
      }
      case 'idle': {
        const oldest = outbox.oldestMs;
        const backlogAgeMs = oldest === null ? 0 : Math.max(0, this.#options.wallMs() - oldest);
        return {
          type: 'idle',
          firstRecord: outbox.nextSeq,
          recordCount: 0,
          group: NO_GROUP,
          plain: encodeIdle({ sourceState, backlogRecords: outbox.size, backlogAgeMs }),
        };
      }
    }
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
