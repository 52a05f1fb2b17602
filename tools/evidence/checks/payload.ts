/** Checks of what the relay holds, and of what a receiver believes. */
import { createDecipheriv, randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { portableEngine } from '../../../protocol/engine/portable.ts';
import { Problem } from '../../../protocol/problem.ts';
import { searchMemory } from '../../lib/memory-search.ts';
import type { RunCheck } from '../check.ts';
import { claim, open, seal, submit } from '../scene/carrying.ts';
import type { Scene } from '../scene/scene.ts';

const FLIPS = 40;
/** Where pieces of a block are taken from, in its sealed part. */
const PIECES = [20_000, 40_000, 60_000];
const PIECE_BYTES = 64;
/** How often, and how far apart, it is looked whether a block is gone. */
const LOOKS = 20;
const LOOK_MS = 500;

export const PAYLOAD_CHECKS: readonly RunCheck[] = [
  {
    id: 'payload-sealed',
    layer: 'run',
    async look(scene, see) {
      const { plain, block } = await hold(scene);
      see('pieces of the sealed block in memory', await countInMemory(scene, piecesOf(block)), PIECES.length);
      see('readings in memory', await countInMemory(scene, [plain]), 0);
    },
    sabotages: {
      unsealed: { block: (block, plain) => block.set(plain, 30_000) },
    },
  },
  {
    id: 'burned-after-ack',
    layer: 'run',
    async look(scene, see) {
      const { block } = await hold(scene);
      const pieces = piecesOf(block);
      see('pieces of the block in memory before', await countInMemory(scene, pieces), PIECES.length);
      const reader = await scene.registered('historian', 'it');
      const taken = await claim(reader);
      const { ackSecret } = open(scene.engine, scene.enrolment('plc'), scene.enrolment('historian'), taken.block);
      await reader.ack([{ type: 'ack', transferId: taken.transferId, ackSecret }]);
      see('pieces of the block in memory after', await countLeft(scene, pieces), 0);
    },
    sabotages: {
      'not-burned': {
        mutations: [{ file: 'relay/store/block-store.ts', find: 'slot.bytes.fill(0);', replace: '' }],
      },
    },
  },
  {
    id: 'payload-tamper',
    layer: 'run',
    async look(scene, see) {
      await hold(scene);
      const { block } = await claim(await scene.registered('historian', 'it'));
      see(
        'the block as it came',
        opened(scene, () => block),
        'accepted',
      );
      const accepted = flipsOf(block).filter((each) => opened(scene, () => each) === 'accepted');
      see('changed blocks that were accepted', accepted.length, 0);
      see(
        'a block that another device signed',
        opened(scene, () => signedByAnother(scene)),
        'refused',
      );
    },
    sabotages: {
      'no-signature': { engine: (engine) => withChange(engine, { verify: () => true }) },
      'nothing-checked': { engine: (engine) => withChange(engine, { verify: () => true, aeadOpen: decryptUnchecked }) },
    },
  },
  {
    id: 'crypto-agrees',
    layer: 'run',
    async look(scene, see) {
      const portable = portableEngine((length) => new Uint8Array(randomBytes(length)));
      const engines: readonly (readonly [string, Engine, Engine])[] = [
        ['native to portable', scene.engine, portable],
        ['portable to native', portable, scene.engine],
      ];
      for (const [name, sealing, opening] of engines) {
        const sealed = () => seal(withEngine(scene, sealing), 'plc', 'historian', new Uint8Array(randomBytes(256)));
        see(name, opened(withEngine(scene, opening), sealed), 'accepted');
        see(
          `${name}, changed`,
          opened(withEngine(scene, opening), () => flippedNearEnd(sealed())),
          'refused',
        );
      }
    },
    sabotages: {
      'wrong-hash': {
        engine: (engine) => withChange(engine, { sha256: (...parts) => engine.sha256(...parts, Uint8Array.of(1)) }),
      },
    },
  },
];

/** Lets the twin hold a block with a random reading from plc to historian. */
async function hold(scene: Scene): Promise<{ readonly plain: Uint8Array; readonly block: Uint8Array }> {
  const sender = await scene.registered('plc', 'ot');
  await scene.registered('historian', 'it');
  const plain = new Uint8Array(randomBytes(PIECE_BYTES));
  const block = seal(scene, 'plc', 'historian', plain);
  await submit(sender, block);
  return { plain, block };
}

function piecesOf(block: Uint8Array): Uint8Array[] {
  return PIECES.map((at) => block.slice(at, at + PIECE_BYTES));
}

/** How many of these are in the memory of the twin; refuses `tool-missing` where it may not be read. */
async function countInMemory(scene: Scene, needles: readonly Uint8Array[]): Promise<number> {
  const { pid } = await scene.relay();
  const named = needles.map((bytes, i) => ({ name: String(i), bytes: Buffer.from(bytes) }));
  const found = await searchMemory(pid, named);
  if (found === null) throw new Problem('tool-missing', 'this kernel does not let the memory of the twin be read');
  return found.length;
}

/** How many are still there when the answers under way have let go of their copies, or after ten seconds. */
async function countLeft(scene: Scene, needles: readonly Uint8Array[]): Promise<number> {
  let left = needles.length;
  for (let i = 0; i < LOOKS && left > 0; i++) {
    await setTimeout(LOOK_MS);
    left = await countInMemory(scene, needles);
  }
  return left;
}

/** Whether the receiver accepts the block that `make` gives. */
function opened(scene: Scene, make: () => Uint8Array): 'accepted' | 'refused' {
  try {
    open(scene.engine, scene.enrolment('plc'), scene.enrolment('historian'), make());
    return 'accepted';
  } catch {
    return 'refused';
  }
}

/** Copies of the block, each with one bit changed, evenly over header, stanza and content. */
function flipsOf(block: Uint8Array): Uint8Array[] {
  return Array.from({ length: FLIPS }, (_, i) => {
    const copy = Uint8Array.from(block);
    const at = i < FLIPS / 2 ? i * 80 : Math.floor((block.length / FLIPS) * i);
    copy[at]! ^= 1 << (i % 8);
    return copy;
  });
}

function flippedNearEnd(block: Uint8Array): Uint8Array {
  block[block.length - 100]! ^= 1;
  return block;
}

/** A block in which plc2 says to be plc. */
function signedByAnother(scene: Scene): Uint8Array {
  const [plc, plc2] = [scene.enrolment('plc').device, scene.enrolment('plc2').device];
  const forged = Object.create(scene, {
    enrolment: {
      value: (name: 'plc') => (name === 'plc' ? { device: { ...plc, signer: plc2.signer } } : scene.enrolment(name)),
    },
  }) as Scene;
  return seal(forged, 'plc', 'historian', new Uint8Array(randomBytes(PIECE_BYTES)));
}

function withEngine(scene: Scene, engine: Engine): Scene {
  return Object.create(scene, {
    engine: { value: engine },
    enrolment: { value: scene.enrolment.bind(scene) },
  }) as Scene;
}

/** An engine that differs in what `change` names. */
function withChange(engine: Engine, change: Partial<Engine>): Engine {
  return { ...engine, ...change };
}

/** AES-256-GCM without a look at its tag: counter mode from the second counter on. */
function decryptUnchecked(...[key, iv, , ciphertext, , out]: Parameters<Engine['aeadOpen']>): boolean {
  const decipher = createDecipheriv('aes-256-ctr', key, Buffer.concat([iv, Buffer.of(0, 0, 0, 2)]));
  out.set(decipher.update(ciphertext));
  return true;
}
