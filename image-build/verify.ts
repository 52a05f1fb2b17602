/**
 * Whether an image file is the one that a release's manifest describes: signatures, every part of the disk, the tree of
 * hashes of the root, and each file in it. Needs neither root nor another program, and mounts nothing.
 */
import { basename } from 'node:path';
import { asProblem, Problem } from '../protocol/problem.ts';
import { readFileBounded } from '../tools/lib/files.ts';
import { diskParts } from './disk-parts.ts';
import { ImageFile } from './image-file.ts';
import { MANIFEST_LIMIT, type Manifest, parseManifest, SITE_PART } from './manifest.ts';
import type { ReleaseFiles } from './release.ts';
import { type Algorithm, badSignatures, pairOf, releaseKeyHash } from './release-key.ts';
import { rootFiles } from './root-files.ts';
import { checkVerity } from './verity-tree.ts';

/** One thing that was looked at. */
export interface Finding {
  /** `signature`, `part boot`, `verity`, `files`, ... */
  readonly what: string;
  /** `skipped`: not looked at, and why is in `detail`. */
  readonly result: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
}

export interface Verification {
  readonly findings: readonly Finding[];
  readonly manifest: Manifest;
  /** SHA-256 in hex: which release key it was. */
  readonly keyHash: string;
  /** Whether nothing failed. */
  readonly holds: boolean;
}

const LARGEST_KEY = 8192;

/**
 * Verifies; `keyHash` is the release key that it has to be signed by (any, when it is left out). Refuses `file-invalid` for
 * what is not there, `signature-invalid` for a manifest that is not signed, or by another key, `image-invalid` for what is
 * no image.
 */
export function verifyImage(files: ReleaseFiles, keyHash?: string): Verification {
  const { manifest, keyHash: signer } = openManifest(files, keyHash);
  const image = new ImageFile(files.image);
  try {
    requireWhole(image, manifest);
    const findings: Finding[] = [
      signedBy(signer, keyHash),
      ...checkParts(image, manifest),
      ...checkRoot(image, manifest),
    ];
    return { findings, manifest, keyHash: signer, holds: findings.every(({ result }) => result !== 'failed') };
  } finally {
    image.close();
  }
}

function openManifest(files: ReleaseFiles, wanted?: string): { manifest: Manifest; keyHash: string } {
  const content = readAll(files.manifest, MANIFEST_LIMIT);
  const publicKeys = pairOf((algorithm) =>
    Buffer.from(readAll(files.publicKey(algorithm), LARGEST_KEY)).toString('latin1'),
  );
  const signatures = pairOf((algorithm) => readAll(files.signature(algorithm), LARGEST_KEY));
  const keyHash = releaseKeyHash(publicKeys);
  if (wanted !== undefined && wanted !== keyHash) {
    throw new Problem(
      'signature-invalid',
      `${files.manifest} is signed by the release key ${keyHash}, not by ${wanted}`,
    );
  }
  const [bad] = badSignatures(publicKeys, content, signatures);
  if (bad) throw new Problem('signature-invalid', `the ${WORDS[bad]} signature of ${files.manifest} does not verify`);
  try {
    return { manifest: parseManifest(content), keyHash };
  } catch (thrown) {
    throw new Problem('image-invalid', `${files.manifest} is signed but no manifest: ${asProblem(thrown).detail}`);
  }
}

const WORDS: Readonly<Record<Algorithm, string>> = { mldsa65: 'ML-DSA-65', ed25519: 'Ed25519' };

function signedBy(keyHash: string, wanted?: string): Finding {
  const detail = wanted
    ? `both signatures verify, by the release key ${keyHash}`
    : `both signatures verify, by the key ${keyHash}: compare it, or give --key-hash`;
  return { what: 'signatures', result: 'ok', detail };
}

/** A file of another length is cut off, or something else: its parts would all be wrong. */
function requireWhole({ path, bytes }: ImageFile, { image }: Manifest): void {
  if (bytes >= image.bytes) return;
  throw new Problem(
    'image-invalid',
    `${path} has ${bytes} bytes, the released image ${image.bytes}: not written whole`,
  );
}

function checkParts(image: ImageFile, manifest: Manifest): Finding[] {
  const found = diskParts(image);
  return [
    ...manifest.parts.map(({ name, offset, bytes, sha256 }): Finding => {
      const what = `part ${name}`;
      const part = found.find((each) => each.name === name);
      if (part?.offset !== offset || part.bytes !== bytes) {
        return { what, result: 'failed', detail: `it is not at byte ${offset} with ${bytes} bytes` };
      }
      const actual = image.sha256(offset, bytes);
      if (actual === sha256) return { what, result: 'ok', detail: sha256 };
      if (name === SITE_PART) {
        const detail = 'left out: a site was written to it since the release, and no manifest covers that';
        return { what, result: 'skipped', detail };
      }
      return { what, result: 'failed', detail: `it has SHA-256 ${actual}, the manifest says ${sha256}` };
    }),
    ...behind(image, manifest),
  ];
}

/** A copy of a card is as long as the card: what lies behind the image is not of the release. */
function behind({ bytes }: ImageFile, { image }: Manifest): Finding[] {
  if (bytes === image.bytes) return [];
  const detail = `left out: ${bytes - image.bytes} bytes behind the image are not of the release`;
  return [{ what: 'rest', result: 'skipped', detail }];
}

function checkRoot(image: ImageFile, { parts, verity, files }: Manifest): Finding[] {
  const { offset } = parts.find(({ name }) => name === 'root')!;
  try {
    const tree = checkVerity(image, { offset, ...verity });
    const wrong =
      tree.rootHash !== verity.rootHash
        ? `the data gives the root hash ${tree.rootHash}`
        : 'the tree of hashes is damaged';
    const holds = tree.rootHash === verity.rootHash && tree.treeHolds;
    const detail = holds ? `root hash ${verity.rootHash}` : `${wrong}, the manifest says ${verity.rootHash}`;
    const found: Finding = { what: 'verity', result: holds ? 'ok' : 'failed', detail };
    return [found, checkFiles(image, offset, files)];
  } catch (thrown) {
    return [{ what: 'files', result: 'failed', detail: asProblem(thrown).detail }];
  }
}

function checkFiles(image: ImageFile, offset: number, files: Manifest['files']): Finding {
  const found = new Map(rootFiles(image, offset).map((file) => [file.path, JSON.stringify(file)]));
  for (const file of files) {
    if (found.get(file.path) !== JSON.stringify(file)) {
      const fact = found.has(file.path) ? 'is not as the manifest says' : 'is missing';
      return { what: 'files', result: 'failed', detail: `/${file.path} ${fact}` };
    }
    found.delete(file.path);
  }
  const [more] = found.keys();
  if (more) return { what: 'files', result: 'failed', detail: `/${more} is in the root and not in the manifest` };
  return { what: 'files', result: 'ok', detail: `${files.length} files of the root` };
}

function readAll(path: string, limit: number): Uint8Array {
  const bytes = readFileBounded(path, limit);
  if (bytes) return bytes;
  throw new Problem('file-invalid', `${path} does not exist: ${basename(path)} comes with the image`);
}
