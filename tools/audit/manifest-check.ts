/** Holds an export against its manifest: files that are gone, files that nothing else vouches for, and what it says of epochs. */
import type { Hasher } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { MAX_BUNDLE_BYTES } from './epoch-files.ts';
import type { ExportSource } from './export-source.ts';
import type { Findings } from './findings.ts';
import { MANIFEST, VIEWER } from './layout.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from './manifest.ts';
import type { CheckedEpoch } from './receipt-check.ts';
import { pathIn } from './signed-epoch.ts';

/** The viewer carries a part of the export. */
const MAX_VIEWER_BYTES: number = 2 ** 26;

/** Checks the manifest of an export, if it has one. */
export function checkManifest(
  hasher: Hasher,
  { read }: ExportSource,
  epochs: readonly CheckedEpoch[],
  findings: Findings,
): void {
  const bytes = findings.attempt(MANIFEST, () => read(MANIFEST, MAX_MANIFEST_BYTES));
  if (!bytes) {
    findings.note(`there is no ${MANIFEST}: files that were lost can be told by what the checkpoints need only`);
    return;
  }
  const manifest = findings.attempt(MANIFEST, () => parseManifest(bytes));
  if (!manifest) return;
  const known = new Set(
    epochs.flatMap(({ epoch }) => [...epoch.folder.files.keys()].map((path) => pathIn(epoch.place, path))),
  );
  for (const [file, expected] of Object.entries(manifest.files)) {
    // What is in a tile was held against the checkpoints.
    if (findings.isFailed(file) || (known.has(file) && /(^|\/)tile\//.test(file))) continue;
    findings.attempt(file, () => {
      const content = read(file, file === VIEWER ? MAX_VIEWER_BYTES : MAX_BUNDLE_BYTES);
      if (!content) throw new Problem('log-missing', `${MANIFEST} lists it, and it is not there`);
      const found = toBase64Url(hasher.sha256(content));
      if (found !== expected) {
        throw new Problem('log-export-invalid', `its SHA-256 is ${found}, ${MANIFEST} says ${expected}`);
      }
    });
  }
  for (const { id, origin, size, root } of manifest.epochs) {
    const epoch = epochs.find((each) => each.epoch.id === id)?.epoch;
    const newest = epoch?.heads.at(-1);
    if (epoch?.origin === origin && newest?.size === size && toBase64Url(newest.root) === root) continue;
    const detail = `it lists ${origin} with ${size} leaves; found ${newest ? `${newest.size} leaves` : 'no head of it'}`;
    findings.add('log-export-invalid', MANIFEST, detail);
  }
}
