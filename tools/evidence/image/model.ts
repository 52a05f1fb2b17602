/**
 * A made image, small and clean: what the self-test of the image's checks stands on when no image is given. It is no
 * evidence of anything but that the checks can tell.
 */
import { createHash } from 'node:crypto';
import { SITE_LABEL } from './image-file.ts';
import type { ImageView, RootEntry } from './image-view.ts';
import { hashTree } from './verity.ts';

const BLOCK = 4096;
const DATA_BLOCKS = 200;
const SALT = Buffer.alloc(32, 7);
const ROOT_OFFSET = 8 * BLOCK;

const TEXTS: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/usr/sbin/nologin\nghostpipe:x:990:990::/:/usr/sbin/nologin\n',
  'etc/shadow': 'root:!*:1::::::\nghostpipe:!*:1::::::\n',
  'etc/fstab': 'tmpfs /tmp tmpfs nosuid,nodev,noexec,size=16m 0 0\n',
  'etc/nftables.conf': `table inet base {
  chain input { type filter hook input priority 0; policy drop; ct state established accept }
  chain forward { type filter hook forward priority 0; policy drop; }
}
`,
  'usr/lib/sysctl.d/50-appliance.conf': `net.ipv4.ip_forward = 0
net.ipv6.conf.all.forwarding = 0
fs.suid_dumpable = 0
kernel.sysrq = 0
kernel.kptr_restrict = 2
kernel.dmesg_restrict = 1
kernel.yama.ptrace_scope = 2
kernel.unprivileged_bpf_disabled = 1
kernel.kexec_load_disabled = 1
kernel.core_pattern = |/bin/false
`,
  'usr/lib/systemd/system/var.mount': '[Mount]\nWhat=tmpfs\nWhere=/var\nType=tmpfs\nOptions=nosuid,nodev,noexec\n',
  'usr/lib/systemd/system/run-ghostpipe-card.mount':
    '[Mount]\nWhat=/dev/disk/by-label/GHOSTPIPE\nWhere=/run/ghostpipe/card\nType=vfat\nOptions=ro,nosuid,nodev,noexec\n',
  'usr/lib/systemd/system/ghostpipe-relay.service': `[Unit]
Description=Relay

[Service]
User=ghostpipe
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictSUIDSGID=yes
CapabilityBoundingSet=
SystemCallFilter=@system-service
LimitCORE=0
LimitNOFILE=65536
TasksMax=64
MemoryMax=60%
`,
  'usr/lib/modules/6.12/modules.builtin': 'kernel/fs/vfat/vfat.ko\n',
};
const OTHERS = ['usr/bin/node', 'usr/sbin/nologin', 'usr/lib/modules/6.12/kernel/drivers/md/dm-verity.ko'];

/** The made image. */
export function modelImage(): ImageView {
  const disk = madeDisk();
  const read = (offset: number, length: number): Buffer => Buffer.from(disk.subarray(offset, offset + length));
  const { root } = hashTree(read, ROOT_OFFSET, { dataBlocks: DATA_BLOCKS, salt: SALT, treeOffset: 0 });
  const file = (text?: string): RootEntry => ({
    kind: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    ...(text === undefined ? {} : { text }),
  });
  return {
    sha256: createHash('sha256').update(disk).digest('hex'),
    bytes: disk.length,
    partitions: [
      { offset: 0, bytes: BLOCK, holds: 'fat', label: 'GPBOOT' },
      { offset: ROOT_OFFSET, bytes: disk.length - ROOT_OFFSET, holds: 'squashfs', label: '' },
      { offset: BLOCK, bytes: BLOCK, holds: 'fat', label: SITE_LABEL },
    ],
    cmdline: [
      'ro',
      'module.sig_enforce=1',
      'lockdown=integrity',
      'oops=panic',
      'usbcore.authorized_default=0',
      'systemd.gpt_auto=0',
      `ghostpipe.roothash=${root}`,
    ],
    read,
    root: new Map([
      ...Object.entries(TEXTS).map(([path, text]) => [path, file(text)] as const),
      ...OTHERS.map((path) => [path, file()] as const),
    ]),
  };
}

/** A disk with the superblock of a squashfs, its data, and the verity tree behind it. */
function madeDisk(): Buffer {
  const data = Buffer.alloc(DATA_BLOCKS * BLOCK, 'data');
  data.writeBigUInt64LE(BigInt(data.length), 40);
  return Buffer.concat([Buffer.alloc(ROOT_OFFSET), withVerity(data, SALT)]);
}

/** A filesystem of whole blocks with a verity superblock and tree behind it. */
export function withVerity(data: Buffer, salt: Buffer): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write('verity');
  block.writeUInt32LE(1, 8);
  block.writeUInt32LE(1, 12);
  block.write('sha256', 32);
  block.writeUInt32LE(BLOCK, 64);
  block.writeUInt32LE(BLOCK, 68);
  block.writeBigUInt64LE(BigInt(data.length / BLOCK), 72);
  block.writeUInt16LE(salt.length, 80);
  salt.copy(block, 88);
  const read = (offset: number, length: number): Buffer => data.subarray(offset, offset + length);
  const { blocks } = hashTree(read, 0, { dataBlocks: data.length / BLOCK, salt, treeOffset: 0 });
  return Buffer.concat([data, block, blocks]);
}
