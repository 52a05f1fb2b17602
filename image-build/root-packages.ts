/** The Debian packages that a root is taken from. What of them enters the image, `keep.ts` says. */
import type { Architecture } from './lock.ts';

/** With all that they depend on. */
export const ROOT_PACKAGES = [
  'base-files',
  'cryptsetup-bin', // veritysetup, for the initramfs only
  'kmod',
  'libacl1',
  'libatomic1', // Node
  'libblkid1',
  'libc6',
  'libgcc-s1',
  'libkmod2',
  'libmount1',
  'libseccomp2',
  'libstdc++6', // Node
  'mount',
  'nftables',
  'systemd',
  'systemd-timesyncd',
  'udev',
] as const;

/** Without what they depend on: an installed system would need it, an image does not. */
export const APART: Readonly<Record<Architecture, readonly RegExp[]>> = {
  amd64: [/^linux-image-\d.*-amd64$/, /^busybox-static$/, /^systemd-boot-efi$/],
  arm64: [/^linux-image-\d.*-arm64$/, /^busybox-static$/, /^systemd-boot-efi$/, /^raspi-firmware$/],
};

/** What apt is asked for to find those of `APART`. */
export const APART_PACKAGES: Readonly<Record<Architecture, readonly string[]>> = {
  amd64: ['linux-image-amd64', 'busybox-static', 'systemd-boot-efi'],
  arm64: ['linux-image-arm64', 'busybox-static', 'systemd-boot-efi', 'raspi-firmware'],
};
