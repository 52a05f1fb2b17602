/** What the proof needs of the machine. */
import { whyNoNamespaces } from '../fixtures/network-namespaces.ts';
import { missingPackages, onPath, readPackages } from '../runner/debian.mjs';

/** Why there can be no proof here, with how to mend it; false when there can. */
export function whyNoProof(): string | false {
  const missing = missingPackages(readPackages(), ['uniformity'], onPath);
  if (missing.length > 0) {
    return `Debian packages are missing: ${missing.join(' ')}\n  sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  }
  if (process.getuid?.() !== 0) return 'network namespaces and captures need root\n  run it with sudo';
  return whyNoNamespaces();
}
