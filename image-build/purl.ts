/** Package URLs: the name by which vulnerability databases know a package. */

export interface NamedPackage {
  readonly kind: 'deb' | 'npm';
  readonly name: string;
  readonly version: string;
  readonly arch?: string;
}

/** `pkg:npm/%40noble/curves@2.4.0`, `pkg:deb/debian/libc6@2.41-12?arch=arm64&distro=trixie`. */
export function purl({ kind, name, version, arch }: NamedPackage): string {
  const path = name.split('/').map(encodeURIComponent).join('/');
  const at = encodeURIComponent(version);
  return kind === 'npm' ? `pkg:npm/${path}@${at}` : `pkg:deb/debian/${path}@${at}?arch=${arch}&distro=trixie`;
}
