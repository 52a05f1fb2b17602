/** Checks of how an image is set up: its disk, kernel, mounts, firewall, and the unit of the relay. */
import type { ImageCheck } from '../check.ts';
import { SITE_LABEL } from '../image/image-file.ts';
import { cmdlineValue, type ImageView, type Partition } from '../image/image-view.ts';
import { changed, withCmdline, withFile, withFlip, without } from '../image/sabotage.ts';
import { chainsOf, mountsOf, sysctlOf, unitOf } from '../image/settings.ts';
import { hashTree, readVerity } from '../image/verity.ts';

const RELAY_UNIT = 'ghostpipe-relay.service';
const RELAY_FILE = /systemd\/system\/ghostpipe-relay\.service$/;
const ROOT_HASH_WORD = 'ghostpipe.roothash';
/** Filesystems that can be written to, or that come from outside. */
const FOREIGN = ['tmpfs', 'ramfs', 'vfat', 'ext4', 'exfat', 'auto'];
const CLOSED = ['nosuid', 'nodev', 'noexec'];
/** Kernel parameters and the least that each has to be. */
const PARAMETERS: Readonly<Record<string, number>> = {
  'kernel.kptr_restrict': 1,
  'kernel.dmesg_restrict': 1,
  'kernel.yama.ptrace_scope': 1,
  'kernel.unprivileged_bpf_disabled': 1,
  'kernel.kexec_load_disabled': 1,
};
/** Those that must be off. */
const OFF = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'fs.suid_dumpable', 'kernel.sysrq'];
const SANDBOX: Readonly<Record<string, string>> = {
  NoNewPrivileges: 'yes',
  ProtectSystem: 'strict',
  ProtectHome: 'yes',
  PrivateDevices: 'yes',
  ProtectKernelModules: 'yes',
  ProtectKernelTunables: 'yes',
  RestrictSUIDSGID: 'yes',
  LimitCORE: '0',
};
/** Programs that mount by themselves what is plugged in, and drivers of what a person types on. */
const AUTOMOUNTERS = /\/(udisksd|automount|usbmount|systemd-mount|gvfsd)$/;
const KEYBOARDS = /\/drivers\/hid\/(usbhid|hid-generic)\b|\/usbhid\.ko|\/hid-generic\.ko/;
const YES = /^(yes|true|on|1)$/i;

export const IMAGE_SETTING_CHECKS: readonly ImageCheck[] = [
  {
    id: 'image-verity',
    layer: 'image',
    look(image, see) {
      const labels = image.partitions.map(({ holds, label }) => (label === SITE_LABEL ? label : holds));
      see('partitions', labels.join(', '), `fat, squashfs, ${SITE_LABEL}`);
      const root = rootOf(image);
      const verity = readVerity(image, root);
      const tree = hashTree(image.read, root.offset, verity);
      const stored = image.read(verity.treeOffset, tree.blocks.length);
      see('the tree on the disk is that of the data', stored.equals(tree.blocks) ? 'yes' : 'no', 'yes');
      see('root hash of the data', tree.root, cmdlineValue(image, ROOT_HASH_WORD) ?? 'none on the command line');
    },
    sabotages: {
      'flipped-bit': withFlip((image) => rootOf(image).offset + 128),
      'broken-tree': withFlip((image) => readVerity(image, rootOf(image)).treeOffset + 8),
      'another-hash': withCmdline((words) =>
        words.map((word) => (word.startsWith(ROOT_HASH_WORD) ? `${ROOT_HASH_WORD}=${'0'.repeat(64)}` : word)),
      ),
      'another-partition': (image) => ({ ...image, partitions: [...image.partitions, image.partitions[0]!] }),
    },
  },
  {
    id: 'image-cmdline',
    layer: 'image',
    look(image, see) {
      const { cmdline } = image;
      see('only signed modules', cmdlineValue(image, 'module.sig_enforce') ?? 'not said', '1');
      see('lockdown', cmdlineValue(image, 'lockdown') ?? 'not said', 'integrity');
      see('the root is read only', cmdline.includes('ro') && !cmdline.includes('rw') ? 'yes' : 'no', 'yes');
      see('a fault of the kernel ends it', cmdlineValue(image, 'oops') ?? 'not said', 'panic');
      const back = cmdline.filter((word) =>
        /^(init|rdinit|systemd\.debug.shell|rd\.break|single|debug|systemd\.unit)(=|$)/.test(word),
      );
      see('words that open a way in', back.length, 0);
    },
    sabotages: {
      unsigned: withCmdline((words) => words.filter((word) => !word.startsWith('module.sig_enforce'))),
      'a-shell': withCmdline((words) => [...words, 'init=/bin/sh']),
      'read-write': withCmdline((words) => [...words, 'rw']),
      'no-lockdown': withCmdline((words) => words.filter((word) => !word.startsWith('lockdown'))),
    },
  },
  {
    id: 'image-no-plugging',
    layer: 'image',
    look(image, see) {
      see('a USB device that nobody authorised', cmdlineValue(image, 'usbcore.authorized_default') ?? 'not said', '0');
      see('partitions that are mounted by themselves', cmdlineValue(image, 'systemd.gpt_auto') ?? 'not said', '0');
      const names = [...image.root.keys()];
      see('programs that mount what is plugged in', names.filter((name) => AUTOMOUNTERS.test(name)).length, 0);
      const keyboards = names.filter((name) => KEYBOARDS.test(name));
      see('drivers of keyboards and mice', keyboards.length, 0);
    },
    sabotages: {
      authorised: withCmdline((words) => words.filter((word) => !word.startsWith('usbcore.authorized_default'))),
      mounted: withCmdline((words) =>
        words.map((word) => (word === 'systemd.gpt_auto=0' ? 'systemd.gpt_auto=1' : word)),
      ),
      automounter: withFile('usr/libexec/udisks2/udisksd', '', 0o755),
      keyboard: withFile('usr/lib/modules/6.12/kernel/drivers/hid/usbhid/usbhid.ko'),
    },
  },
  {
    id: 'image-mounts',
    layer: 'image',
    look(image, see) {
      const mounts = mountsOf(image).filter(({ type }) => FOREIGN.includes(type));
      see('mounts of what can be written, or comes from outside', mounts.length, 1, 'at-least');
      for (const option of CLOSED) {
        see(`mounts without ${option}`, mounts.filter(({ options }) => !options.includes(option)).length, 0);
      }
      const onDisk = mountsOf(image).filter(
        ({ type, options }) => !/^(tmpfs|ramfs)$/.test(type) && FOREIGN.includes(type) && !options.includes('ro'),
      );
      see('disks that can be written', onDisk.length, 0);
    },
    sabotages: {
      writable: withFile(
        'usr/lib/systemd/system/data.mount',
        `[Mount]\nWhat=/dev/disk/by-label/DATA\nWhere=/data\nType=ext4\nOptions=rw,${CLOSED.join(',')}\n`,
      ),
      exec: withFile(
        'etc/systemd/system/work.mount',
        '[Mount]\nWhat=tmpfs\nWhere=/work\nType=tmpfs\nOptions=nosuid,nodev\n',
      ),
    },
  },
  {
    id: 'image-kernel-parameters',
    layer: 'image',
    look(image, see) {
      const parameters = sysctlOf(image);
      for (const [name, least] of Object.entries(PARAMETERS)) {
        see(name, Number(parameters.get(name) ?? -1), least, 'at-least');
      }
      for (const name of OFF) see(name, parameters.get(name) ?? 'not said', '0');
    },
    sabotages: {
      forwards: withFile('etc/sysctl.d/zz-forward.conf', 'net.ipv4.ip_forward = 1\n'),
      dumps: withFile('etc/sysctl.d/zz-dump.conf', 'fs.suid_dumpable=2\n'),
      'not-said': changed(/sysctl\.d\//, /^kernel[./]kptr_restrict.*$/m, ''),
    },
  },
  {
    id: 'image-no-dumps',
    layer: 'image',
    look(image, see) {
      const pattern = sysctlOf(image).get('kernel.core_pattern') ?? 'not said';
      see(
        'core dumps go nowhere',
        /^\|\/(usr\/)?bin\/(false|true)$|^$|^\/dev\/null$/.test(pattern) ? 'yes' : pattern,
        'yes',
      );
      see(
        'programs that keep core dumps',
        [...image.root.keys()].filter((name) => /\/systemd-coredump$/.test(name)).length,
        0,
      );
      see('core dumps of the relay', unitOf(image, RELAY_UNIT)?.get('Service.LimitCORE')?.at(-1) ?? 'not said', '0');
    },
    sabotages: {
      kept: withFile('usr/lib/systemd/systemd-coredump', '', 0o755),
      'to-a-file': withFile('etc/sysctl.d/zz-core.conf', 'kernel.core_pattern = /var/core.%p\n'),
    },
  },
  {
    id: 'image-firewall',
    layer: 'image',
    look(image, see) {
      const chains = chainsOf(image);
      for (const hook of ['input', 'forward']) {
        const own = chains.filter((chain) => chain.hook === hook);
        see(`chains of ${hook}`, own.length, 1, 'at-least');
        see(`chains of ${hook} that do not drop`, own.filter(({ policy }) => policy !== 'drop').length, 0);
      }
      const forwarded = chains.filter(({ hook }) => hook === 'forward').flatMap(({ rules }) => rules);
      see('rules that let packets through', forwarded.filter((rule) => !/\b(drop|reject)\b/.test(rule)).length, 0);
      const open = chains.filter(({ hook }) => hook === 'input').flatMap(({ rules }) => rules);
      see('rules that accept everything', open.filter((rule) => rule === 'accept').length, 0);
    },
    sabotages: {
      forwards: withFile(
        'etc/open.nft',
        'table inet x { chain f { type filter hook forward priority 0; policy accept; } }',
      ),
      'a-rule': withFile(
        'etc/through.nft',
        'table inet x { chain f { type filter hook forward priority 0; policy drop; iif "eth0" oif "eth1" accept } }',
      ),
      none: without(/\.nft$|^etc\/nftables\.conf$/),
    },
  },
  {
    id: 'image-relay-unit',
    layer: 'image',
    look(image, see) {
      const unit = unitOf(image, RELAY_UNIT);
      see('units of the relay', unit ? 1 : 0, 1);
      const value = (key: string): string => unit?.get(`Service.${key}`)?.at(-1) ?? 'not said';
      for (const [key, wanted] of Object.entries(SANDBOX)) {
        see(key, YES.test(value(key)) && wanted === 'yes' ? 'yes' : value(key), wanted);
      }
      const user = value('User');
      see('its own user', ['not said', 'root', '0'].includes(user) ? user : 'yes', 'yes');
      const kept = (unit?.get('Service.CapabilityBoundingSet') ?? ['not said']).join(' ');
      see('capabilities beyond low ports', kept.replaceAll('CAP_NET_BIND_SERVICE', '').trim(), '');
      see('a filter of system calls', unit?.has('Service.SystemCallFilter') ? 'yes' : 'no', 'yes');
    },
    sabotages: {
      root: changed(RELAY_FILE, /^User=.*$/m, 'User=root'),
      'no-filter': changed(RELAY_FILE, /^SystemCallFilter=.*\n/gm, ''),
      'new-rights': changed(RELAY_FILE, /^NoNewPrivileges=.*$/m, 'NoNewPrivileges=no'),
      'drop-in': withFile(`etc/systemd/system/${RELAY_UNIT}.d/a.conf`, '[Service]\nProtectSystem=no\n'),
    },
  },
  {
    id: 'image-relay-limits',
    layer: 'image',
    look(image, see) {
      const unit = unitOf(image, RELAY_UNIT);
      for (const key of ['MemoryMax', 'TasksMax', 'LimitNOFILE']) {
        const limit = unit?.get(`Service.${key}`)?.at(-1) ?? 'not said';
        see(`${key} is a limit`, /^\d+(\.\d+)?[KMG%]?$/.test(limit) ? 'yes' : limit, 'yes');
      }
    },
    sabotages: {
      memory: changed(RELAY_FILE, /^MemoryMax=.*$/m, 'MemoryMax=infinity'),
      tasks: changed(RELAY_FILE, /^TasksMax=.*\n/m, ''),
    },
  },
];

function rootOf({ partitions }: ImageView): Partition {
  return partitions.find(({ holds }) => holds === 'squashfs')!;
}
