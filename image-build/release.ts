/**
 * The files of a release beside the image: the image compressed, its list of parts (SBOM), the packages that it was
 * built from, and the signed manifest that names all of them. The manifest is written last, its signatures before it.
 */
import { createReadStream, createWriteStream, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { Problem } from '../protocol/problem.ts';
import { writeFileAtomic } from '../tools/lib/files.ts';
import type { BuildRecord } from './build.ts';
import { readBuildRecord } from './build-record.ts';
import { type Bundle, ROOT } from './bundle.ts';
import { PROGRAM } from './bundle-sources.ts';
import { diskParts } from './disk-parts.ts';
import { foreignParts, nodeArch } from './foreign-parts.ts';
import { ImageFile } from './image-file.ts';
import { formatManifest, type Manifest, type ReleasedFile } from './manifest.ts';
import { lockedNode } from './node-binary.ts';
import { ALGORITHMS, type Algorithm, type ReleaseKey } from './release-key.ts';
import { type RootFile, rootFiles } from './root-files.ts';
import { SOFTWARE } from './runtime.ts';
import { sbom } from './sbom.ts';
import { checkVerity } from './verity-tree.ts';

/** Where each file of the release of `image` lies (a path that ends in `.img`). */
export interface ReleaseFiles {
  readonly image: string;
  readonly compressed: string;
  readonly sbom: string;
  readonly packages: string;
  readonly manifest: string;
  readonly buildRecord: string;
  signature(algorithm: Algorithm): string;
  publicKey(algorithm: Algorithm): string;
}

/** The names of a release; refuses `usage` for a path that does not end in `.img`. */
export function releaseFiles(image: string, manifest?: string): ReleaseFiles {
  if (!image.endsWith('.img')) throw new Problem('usage', `${image} does not end in .img`);
  const name = image.slice(0, -'.img'.length);
  const signed = manifest?.replace(/\.manifest\.json$/, '') ?? name;
  return {
    image,
    compressed: `${image}.zst`,
    sbom: `${name}.sbom.json`,
    packages: `${name}.packages.json`,
    manifest: manifest ?? `${name}.manifest.json`,
    buildRecord: `${name}.build/build.json`,
    signature: (algorithm) => `${signed}.manifest.${algorithm}`,
    publicKey: (algorithm) => `${signed}.key.${algorithm}.pem`,
  };
}

/**
 * Writes the release of an image that was built from `bundle`, signed by `key`. Refuses `image-invalid` when the image is
 * not the one of its build record, or has other software than the bundle.
 */
export async function writeRelease(files: ReleaseFiles, bundle: Bundle, key: ReleaseKey): Promise<Manifest> {
  rmSync(files.manifest, { force: true }); // an old one must not stand beside new files
  const record = readBuildRecord(files.buildRecord);
  await compress(files, record.level);
  const subject = { name: basename(files.image, '.img'), ...record, sha256: record.image.sha256 };
  writeFileAtomic(files.sbom, sbom(subject, foreignParts(record, bundle.packages)), 0o644);
  const { packages, tools } = record;
  writeFileAtomic(files.packages, `${JSON.stringify({ packages, tools }, null, 1)}\n`, 0o644);
  const manifest = describe(files, record);
  requireSoftware(bundle, manifest.files);
  const content = Buffer.from(formatManifest(manifest));
  const signatures = key.sign(content);
  for (const algorithm of ALGORITHMS) {
    writeFileAtomic(files.publicKey(algorithm), key.publicKeys[algorithm], 0o644);
    writeFileAtomic(files.signature(algorithm), signatures[algorithm], 0o644);
  }
  writeFileAtomic(files.manifest, content, 0o644);
  return manifest;
}

/** The manifest, from the bytes of the image themselves. */
function describe(files: ReleaseFiles, record: BuildRecord): Manifest {
  const image = new ImageFile(files.image);
  try {
    const parts = diskParts(image);
    const root = parts.find(({ name }) => name === 'root')!;
    const { rootHash, salt, dataBytes } = record.verity;
    const released = fileOf(files.image);
    const tree = checkVerity(image, { offset: root.offset, dataBytes, salt });
    if (released.sha256 !== record.image.sha256 || tree.rootHash !== rootHash || !tree.treeHolds) {
      throw new Problem('image-invalid', `${files.image} is not what ${files.buildRecord} says; build it again`);
    }
    return {
      format: 'ghostpipe/image-manifest/v1',
      version: record.version,
      board: record.board,
      arch: record.arch,
      epoch: record.epoch,
      node: lockedNode(ROOT, nodeArch(record)).version,
      kernel: record.kernel,
      image: released,
      compressed: fileOf(files.compressed),
      sbom: fileOf(files.sbom),
      packages: fileOf(files.packages),
      parts: parts.map((part) => ({ ...part, sha256: image.sha256(part.offset, part.bytes) })),
      verity: { rootHash, salt, dataBytes },
      files: rootFiles(image, root.offset),
    };
  } finally {
    image.close();
  }
}

/** What the list of packages says of the bundle is only true of the image that holds it. */
function requireSoftware({ folder, files }: Bundle, inRoot: readonly RootFile[]): void {
  const found = new Map(inRoot.map(({ path, sha256 }) => [path, sha256]));
  for (const file of files) {
    const sha256 = found.get(`${SOFTWARE}/${file}`);
    const isMissing = sha256 === undefined && file === PROGRAM;
    if (isMissing || (sha256 !== undefined && sha256 !== fileOf(join(folder, file)).sha256)) {
      throw new Problem(
        'image-invalid',
        `/${SOFTWARE}/${file} of the image is not what these sources give; build it again`,
      );
    }
  }
}

function fileOf(path: string): ReleasedFile {
  const file = new ImageFile(path);
  try {
    return { file: basename(path), bytes: file.bytes, sha256: file.sha256() };
  } finally {
    file.close();
  }
}

async function compress({ image, compressed }: ReleaseFiles, level: number): Promise<void> {
  const partial = `${compressed}.partial`;
  const zstd = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } });
  await pipeline(createReadStream(image), zstd, createWriteStream(partial));
  renameSync(partial, compressed);
}
