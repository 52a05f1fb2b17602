/**
 * Cosignatures: timestamped ML-DSA signatures over the head of a tree, by whoever checked that it only grew (C2SP
 * tlog-cosignature, section ML-DSA-44 signed message).
 *
 * Type 0x06 is ML-DSA-44. The product's own type is the same structure signed with ML-DSA-65. A log signs its own
 * heads in this form too.
 */
import { ByteReader, ByteWriter, utf8 } from './bytes.ts';
import type { Engine, SingleKey } from './engine/engine.ts';
import { HASH_BYTES, type Hasher } from './merkle.ts';
import type { NoteSignature } from './note.ts';
import { type NoteKey, noteKeyId } from './note-key.ts';
import { Problem } from './problem.ts';

/** What a head says of a log: its origin (at most 255 bytes), its size and its root. */
export interface TreeHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

const LABEL = utf8('subtree/v1\n\0');

/** The line by which `signer`, an ML-DSA key under `name`, says that it saw `head` at a POSIX time in seconds. */
export function cosign(
  hasher: Hasher,
  name: string,
  signer: SingleKey,
  head: TreeHead,
  seconds: number,
): NoteSignature {
  const { algorithm, publicKey } = signer;
  const lattice = signer.sign('', cosignedMessage(name, head, seconds));
  const signature = new Uint8Array(8 + lattice.length);
  new ByteWriter(signature).u64(seconds).bytes(lattice);
  return { name, keyId: noteKeyId(hasher, { name, algorithm, publicKey }), signature };
}

/**
 * The POSIX time in seconds of a line that names `key`; 0 when the cosigner does not say that the head was the newest.
 * Refuses `signature-invalid`.
 */
export function verifyCosignature(engine: Engine, key: NoteKey, head: TreeHead, line: NoteSignature): number {
  const { name, algorithm, publicKey } = key;
  const reader = new ByteReader(line.signature, 'signature-invalid');
  const seconds = reader.u64();
  const lattice = reader.bytes(reader.left);
  const message = cosignedMessage(name, head, seconds);
  if (algorithm === 'ed25519' || !engine.verifySingle(algorithm, publicKey, '', message, lattice)) {
    throw new Problem('signature-invalid', `the ${algorithm} line of ${name} is no cosignature of size ${head.size}`);
  }
  return seconds;
}

/** The structure `cosigned_message` for a whole tree. */
function cosignedMessage(name: string, { origin, size, root }: TreeHead, seconds: number): Uint8Array {
  const [cosigner, log] = [utf8(name), utf8(origin)];
  const out = new Uint8Array(LABEL.length + 1 + cosigner.length + 8 + 1 + log.length + 16 + HASH_BYTES);
  new ByteWriter(out)
    .bytes(LABEL)
    .u8(cosigner.length)
    .bytes(cosigner)
    .u64(seconds)
    .u8(log.length)
    .bytes(log)
    .u64(0)
    .u64(size)
    .bytes(root);
  return out;
}
