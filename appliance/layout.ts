/**
 * Every name and path on the appliance that more than one part must agree on: the card's partition, the user accounts,
 * the units, and what stands where in memory while it runs. Nothing below `/run` outlives a power cut.
 */

import { CARD_LABEL } from '../protocol/site-config.ts';

/** The FAT partition that `ghostpipe-provision image` fills. It is mounted read-only, read once, and unmounted. */
export const CARD = {
  /** Volume label of the partition. */
  label: CARD_LABEL,
  mountPoint: '/run/ghostpipe-card',
} as const;

/** Accounts; none has a shell or a home folder. */
export const USERS = {
  /** Runs the relay. */
  relay: 'ghostpipe',
  /** Runs the readiness test: may read the secrets of the device `self`, and nothing of the relay. */
  ready: 'ghostpipe-ready',
} as const;

export const UNITS = {
  card: 'run-ghostpipe\\x2dcard.mount',
  store: 'run-ghostpipe\\x2dstore.mount',
  config: 'ghostpipe-config.service',
  firewall: 'ghostpipe-firewall.service',
  relay: 'ghostpipe-relay.service',
  ready: 'ghostpipe-ready.service',
  safe: 'ghostpipe-safe.service',
  scrub: 'ghostpipe-scrub.service',
} as const;

/** What `config` renders, below `run`; `/run` on the device. */
export const RUN = {
  /** Mode 755, owner root; made by `config`. */
  folder: 'ghostpipe',
  /** `relay.yaml`, `roster.json`, `identity-seed`, `self.json`, `statement.json`; readable by the relay only. */
  relay: 'ghostpipe/relay',
  /**
   * ConditionPathExists of the relay's unit: it is there in the safe state too where the relay is to serve the status
   * page, and nothing else.
   */
  relayConfig: 'ghostpipe/relay/relay.yaml',
  /** Secrets of the device `self`, made anew at each boot; readable by the readiness test only. */
  self: 'ghostpipe/self',
  /** Rules for `nft -f`; in the safe state they let nothing pass but the status page, where a verified config has one. */
  firewall: 'ghostpipe/nftables.conf',
  /** JSON: what the boot found (appliance/outcome.ts). Written last, so it stands only beside complete files. */
  outcome: 'ghostpipe/outcome.json',
  /** Exists when there is a relay to be tested: ConditionPathExists of the unit of readiness. */
  configured: 'ghostpipe/configured',
  /** Exists when there is none: ConditionPathExists of the unit of the safe state. */
  safe: 'ghostpipe/safe',
  networkd: 'systemd/network',
  timesyncd: 'systemd/timesyncd.conf.d/ghostpipe.conf',
} as const;

/** What the device has anyway. */
export const DEVICE = {
  run: '/run',
  accounts: '/etc/passwd',
  /** tmpfs (noswap, nosuid, nodev, noexec; mode 700, owner `ghostpipe`) for blocks and the journal of the audit log. */
  store: '/run/ghostpipe-store',
  /** JSON in the root, written by the image's build: version, board, build time. */
  image: '/usr/lib/ghostpipe/image.json',
  /** Holds `ghostpipe.roothash=HEX`, the verity root hash. */
  kernelCommandLine: '/proc/cmdline',
  /** systemd-timesyncd makes this file when it has set the clock. */
  synchronized: '/run/systemd/timesync/synchronized',
  /** The root with its verity check: a read error here is a damaged card. */
  root: '/dev/mapper/root',
  networkInterfaces: '/sys/class/net',
  /** What udev knows of each device that it is done with. */
  udev: '/run/udev/data',
  leds: '/sys/class/leds',
  console: '/dev/console',
  /** Reset the machine when nobody writes to it any more; `ready` or `safe` does, never PID 1. */
  watchdog: '/dev/watchdog',
  /** Where the stick for the audit log is mounted, once it has the marker. */
  stick: '/run/ghostpipe-stick/ghostpipe',
} as const;

/** Word on the kernel command line with the verity root hash in hexadecimal. */
export const ROOT_HASH_WORD = 'ghostpipe.roothash';

/** What the console says; whoever watches a boot may wait for these lines. */
export const CONSOLE = {
  ready: 'ghostpipe: ready',
  safe: 'ghostpipe: safe state: ',
  notReady: 'ghostpipe: not ready: ',
} as const;
