/**
 * What an image is made of, as CycloneDX 1.6: the Debian packages by name, version and hash of their files, the npm
 * packages whose code is in the bundle, and Node. The same parts give the same bytes.
 */
import { createHash } from 'node:crypto';
import { Enums, Models, Serialize, Spec } from '@cyclonedx/cyclonedx-library';
import { purl } from './purl.ts';

/** A part of an image that somebody else made. */
export interface ForeignPart {
  readonly kind: 'deb' | 'npm';
  readonly name: string;
  readonly version: string;
  /** Of a Debian package. */
  readonly arch?: string;
  /** As its author names it; Debian packages name theirs in a file. */
  readonly licence?: string;
  /** Hash of the package file, in hex. */
  readonly hash: { readonly algorithm: 'SHA-256' | 'SHA-512'; readonly hex: string };
}

export interface SbomSubject {
  readonly name: string;
  readonly version: string;
  /** SHA-256 of the image, in hex. */
  readonly sha256: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** The document as JSON. */
export function sbom(subject: SbomSubject, parts: readonly ForeignPart[]): string {
  const image = new Models.Component(Enums.ComponentType.Firmware, subject.name, {
    bomRef: subject.name,
    version: subject.version,
    hashes: new Models.HashDictionary([[Enums.HashAlgorithm['SHA-256'], subject.sha256]]),
  });
  const components = parts.map(componentOf);
  for (const { bomRef } of components) image.dependencies.add(bomRef);
  const bom = new Models.Bom({
    serialNumber: `urn:uuid:${uuidOf(subject.sha256)}`,
    metadata: new Models.Metadata({ timestamp: new Date(subject.epoch * 1000), component: image }),
    components: new Models.ComponentRepository(components),
  });
  const factory = new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6);
  return `${new Serialize.JsonSerializer(factory).serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function componentOf(part: ForeignPart): Models.Component {
  const { name, version, licence, hash } = part;
  const type = part.kind === 'npm' ? Enums.ComponentType.Library : Enums.ComponentType.Application;
  return new Models.Component(type, name, {
    bomRef: purl(part),
    purl: purl(part),
    version,
    hashes: new Models.HashDictionary([[Enums.HashAlgorithm[hash.algorithm], hash.hex]]),
    ...(licence ? { licenses: new Models.LicenseRepository([new Models.NamedLicense(licence)]) } : {}),
  });
}

/** A UUID (RFC 9562, version 8) of a hash. */
function uuidOf(sha256: string): string {
  const hex = createHash('sha256').update(`sbom ${sha256}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}
