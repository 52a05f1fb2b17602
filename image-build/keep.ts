/**
 * What of Debian's packages enters the root: these files, and the libraries that they need. What is not named here is
 * not there: no shell, no package manager, no login, no remote access, no message bus, and nothing that runs with the
 * rights of another user (IEC 62443-4-2 CR 7.7, least functionality).
 */

/** Programs. Each becomes a plain file: rights of its owner are not taken along. */
export const PROGRAMS = [
  'usr/bin/kmod', // loads drivers, and makes their device files
  'usr/bin/mount', // the units of mounts run it
  'usr/bin/umount',
  'usr/bin/systemd-notify',
  'usr/bin/systemd-tmpfiles',
  'usr/bin/udevadm', // systemd-udevd is a name of it
  'usr/sbin/nft',
  'usr/lib/systemd/systemd',
  'usr/lib/systemd/systemd-executor',
  'usr/lib/systemd/systemd-journald',
  'usr/lib/systemd/systemd-networkd',
  'usr/lib/systemd/systemd-shutdown',
  'usr/lib/systemd/systemd-sysctl',
  'usr/lib/systemd/systemd-timesyncd',
] as const;

/** Libraries that these programs open by name while they run. */
export const OPENED = [
  'libacl.so.1',
  'libblkid.so.1',
  'libgcc_s.so.1',
  'libkmod.so.2',
  'libmount.so.1',
  'libseccomp.so.2',
];

/** Names of programs beside their own: [name, where it leads]. */
export const LINKS: readonly (readonly [name: string, target: string])[] = [
  ['bin', 'usr/bin'],
  ['sbin', 'usr/sbin'],
  ['lib', 'usr/lib'],
  ['usr/sbin/modprobe', '../bin/kmod'],
  ['usr/lib/systemd/systemd-udevd', '../../bin/udevadm'],
  ['etc/os-release', '../usr/lib/os-release'],
  ['etc/mtab', '../proc/self/mounts'],
  ['usr/lib/systemd/system/default.target', 'multi-user.target'],
  // Nobody could work there: there is no shell and no login.
  ['usr/lib/systemd/system/emergency.target', 'reboot.target'],
  ['usr/lib/systemd/system/rescue.target', 'reboot.target'],
  ['usr/lib/systemd/system/ctrl-alt-del.target', '/dev/null'],
];

/** Plain files of packages. */
export const DATA = [
  'usr/lib/os-release',
  'usr/lib/systemd/network/99-default.link',
  'usr/lib/tmpfiles.d/static-nodes-permissions.conf',
  'usr/lib/tmpfiles.d/systemd.conf',
  ...[
    '50-udev-default',
    '60-block',
    '60-persistent-storage',
    '75-net-description',
    '80-drivers',
    '80-net-setup-link',
    '99-systemd',
  ].map((name) => `usr/lib/udev/rules.d/${name}.rules`),
];

/** Accounts of packages; read while the image is built, and not in it. */
export const ACCOUNTS = ['systemd-journal', 'systemd-network', 'systemd-timesync'].map(
  (name) => `usr/lib/sysusers.d/${name}.conf`,
);

/** Units of packages. Debian's links that make one unit want another are taken where both are here. */
export const UNITS = [
  ...['basic', 'final', 'halt', 'local-fs-pre', 'local-fs', 'multi-user', 'network-pre', 'network'],
  ...['nss-lookup', 'nss-user-lookup', 'paths', 'poweroff', 'reboot', 'shutdown', 'slices', 'sockets', 'swap'],
  ...['sysinit', 'time-set', 'time-sync', 'timers', 'umount'],
]
  .map((name) => `${name}.target`)
  .concat([
    'kmod-static-nodes.service',
    'modprobe@.service',
    'systemd-halt.service',
    'systemd-journald-dev-log.socket',
    'systemd-journald.service',
    'systemd-journald.socket',
    'systemd-networkd.service',
    'systemd-networkd.socket',
    'systemd-poweroff.service',
    'systemd-reboot.service',
    'systemd-sysctl.service',
    'systemd-timesyncd.service',
    'systemd-tmpfiles-setup-dev-early.service',
    'systemd-tmpfiles-setup-dev.service',
    'systemd-tmpfiles-setup.service',
    'systemd-udev-trigger.service',
    'systemd-udevd-control.socket',
    'systemd-udevd-kernel.socket',
    'systemd-udevd.service',
  ]);

/** Folders of the root that are empty: something is mounted there. */
export const EMPTY = ['dev', 'proc', 'root', 'run', 'sys', 'tmp', 'var', 'etc/systemd/system', 'home'];
