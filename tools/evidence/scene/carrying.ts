/** Carries one reading from a sender to a receiver through the twin, step by step as the clients do. */
import { randomBytes } from 'node:crypto';
import { MIN_BLOCK_BYTES } from '../../../protocol/block.ts';
import { itemOf } from '../../../protocol/control.ts';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { type OpenedBlock, openBlock, type Reader, sealBlock } from '../../../protocol/envelope.ts';
import { NO_GROUP } from '../../../protocol/frame.ts';
import { keysOfIdentity } from '../../../protocol/identity.ts';
import { openKeyStatement } from '../../../protocol/key-statement.ts';
import { Problem } from '../../../protocol/problem.ts';
import { NO_RUN, streamId } from '../../../protocol/stream.ts';
import { toHex } from '../../../protocol/text.ts';
import type { Enrolment } from '../../lib/device.ts';
import type { RelayClient } from '../../lib/relay-client.ts';
import type { Scene } from './scene.ts';
import type { DeviceName } from './template.ts';

/** Seals `plain` from one device to another; the sabotage of the scene may change the block. */
export function seal(scene: Scene, from: DeviceName, to: DeviceName, plain: Uint8Array, blockSeq = 0): Uint8Array {
  const { engine } = scene;
  const [sender, reader] = [scene.enrolment(from).device, scene.enrolment(to).device];
  const keys = keysOfIdentity(reader.did, reader.identity);
  const { recipient } = openKeyStatement(engine, reader.keyStatement, reader.did, keys, 0);
  const block = new Uint8Array(MIN_BLOCK_BYTES);
  sealBlock(engine, block, {
    recipients: [recipient],
    views: 1,
    ttlSeconds: 600,
    burnAtClaim: false,
    signer: sender.signer,
    fields: {
      senderDigest: sender.digest,
      keyGeneration: sender.generation,
      streamId: streamId(sender.digest, [reader.digest]),
      run: new Uint8Array(randomBytes(16)),
      previousRun: NO_RUN,
      blockSeq,
      firstRecord: 0,
      recordCount: 0,
      wallTimeMs: 0,
      timeQuality: 'none',
      monotonicMs: 0,
      expiryMs: 0,
      type: 'selftest',
      group: NO_GROUP,
    },
    plain,
  });
  scene.sabotage.block?.(block, plain);
  return block;
}

/** Opens a copy of `block` as `to`, who knows the keys of `from`; refuses what `openBlock` refuses. */
export function open(engine: Engine, from: Enrolment, to: Enrolment, block: Uint8Array): OpenedBlock {
  const keys = keysOfIdentity(from.device.did, from.device.identity);
  const reader: Reader = {
    kemKey: to.device.kemKey,
    senderKeys: (digest) => (toHex(digest) === toHex(from.device.digest) ? keys : undefined),
  };
  return openBlock(engine, Uint8Array.from(block), reader);
}

/** Hands in a block and gives its transfer id. */
export async function submit(client: RelayClient, block: Uint8Array): Promise<Uint8Array> {
  const accepted = itemOf(await client.submit(block), 'accepted');
  if (!accepted) throw new Problem('relay-answer-invalid', 'a submit was answered without a transfer id');
  return accepted.transferId;
}

/** A block as a receiver has it under a lease. */
export interface Taken {
  readonly block: Uint8Array;
  readonly transferId: Uint8Array;
}

/** Claims the next block; refuses `not-available` when a cover came. */
export async function claim(client: RelayClient): Promise<Taken> {
  const sessionId = new Uint8Array(randomBytes(16));
  const { block, items } = await client.claim([{ type: 'session', sessionId, maxLeases: 4 }], MIN_BLOCK_BYTES);
  const lease = itemOf(items, 'lease');
  if (!lease) throw new Problem('not-available', 'the relay gave a cover where a block waits');
  return { block, transferId: lease.transferId };
}

/** A reading that went all the way, and what was seen of it. */
export interface Carried {
  readonly plain: Uint8Array;
  readonly block: Uint8Array;
  readonly transferId: string;
  readonly sender: RelayClient;
  readonly reader: RelayClient;
}

/** Carries a random reading from plc to historian and acknowledges it. */
export async function carry(scene: Scene): Promise<Carried> {
  const sender = await scene.registered('plc', 'ot');
  const reader = await scene.registered('historian', 'it');
  const plain = new Uint8Array(randomBytes(256));
  const block = seal(scene, 'plc', 'historian', plain);
  const transferId = await submit(sender, block);
  const taken = await claim(reader);
  const { ackSecret } = open(scene.engine, scene.enrolment('plc'), scene.enrolment('historian'), taken.block);
  await reader.ack([{ type: 'ack', transferId, ackSecret }]);
  return { plain, block, transferId: toHex(transferId), sender, reader };
}
