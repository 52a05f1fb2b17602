/** The boards that images are made for: processor, how the firmware starts, and the drivers that are needed. */
import type { Architecture } from './lock.ts';

export const BOARD_NAMES = ['vm', 'arm64', 'pi4', 'pi3'] as const;
export type BoardName = (typeof BOARD_NAMES)[number];

export interface Board {
  readonly arch: Architecture;
  /** `uefi`: GPT and one unified kernel image. `pi`: MBR, and the files that the firmware of a Raspberry Pi reads. */
  readonly boot: 'uefi' | 'pi';
  /** Words for the kernel; where several consoles are there, the last one gets the messages of the services. */
  readonly console: string;
  /** Drivers that find the root: in the initramfs. */
  readonly rootDrivers: readonly string[];
  /** Drivers beside them: in the root. */
  readonly drivers: readonly string[];
  /** Files of the firmware's package, and names of device trees. Only where `boot` is `pi`. */
  readonly firmware: readonly string[];
  readonly deviceTrees: readonly string[];
}

/** What opens the root, on every board. */
const VERITY = ['dm-verity', 'squashfs'];
/** What every board needs later: the card, the firewall, a stick with FAT or ext4, a network adapter that is allowed. */
const COMMON = [
  ...['vfat', 'nls_cp437', 'nls_ascii', 'nls_iso8859-1', 'nls_utf8', 'ext4'],
  ...['nf_tables', 'nft_ct', 'nft_reject_inet', 'nft_limit', 'nf_conntrack'],
  ...['usb-storage', 'uas', 'sd_mod'],
  ...['ax88179_178a', 'asix', 'cdc_ether', 'cdc_ncm', 'r8152'],
];
const VIRTUAL = ['virtio_blk', 'virtio_pci', 'virtio_scsi', 'sd_mod'];
const VIRTUAL_NET = ['virtio_net', 'virtio-rng'];
const PI_STORAGE = [
  'mmc_block',
  'sdhci-iproc',
  'bcm2835',
  'bcm2835-dma',
  'gpio-regulator',
  'fixed',
  'reset-raspberrypi',
];
const PI_COMMON = ['iproc-rng200', 'bcm2835-rng', 'bcm2835_wdt', 'raspberrypi-cpufreq', 'leds-gpio', 'i2c-bcm2835'];
const CLOCKS = ['rtc-ds1307', 'rtc-pcf8523'];

export const BOARDS: Readonly<Record<BoardName, Board>> = {
  vm: {
    arch: 'amd64',
    boot: 'uefi',
    console: 'console=tty0 console=ttyS0,115200',
    rootDrivers: [...VERITY, ...VIRTUAL, 'ahci', 'nvme', 'vmw_pvscsi', 'sha256-ssse3'],
    drivers: [...COMMON, ...VIRTUAL_NET, 'e1000', 'e1000e', 'igb', 'vmxnet3', 'i6300esb', 'xhci-pci', 'ehci-pci'],
    firmware: [],
    deviceTrees: [],
  },
  arm64: {
    arch: 'arm64',
    boot: 'uefi',
    console: 'console=tty0 console=ttyAMA0,115200',
    rootDrivers: [
      ...VERITY,
      ...VIRTUAL,
      'virtio_mmio',
      'ahci',
      'nvme',
      'mmc_block',
      'sdhci-iproc',
      'sdhci-acpi',
      'sha2-ce',
    ],
    drivers: [...COMMON, ...VIRTUAL_NET, ...CLOCKS, 'e1000e', 'igb', 'xhci-pci', 'sbsa_gwdt', 'i6300esb'],
    firmware: [],
    deviceTrees: [],
  },
  pi4: {
    arch: 'arm64',
    boot: 'pi',
    console: 'console=ttyS1,115200',
    rootDrivers: [...VERITY, ...PI_STORAGE, 'sha256-arm64'],
    drivers: [
      ...COMMON,
      ...PI_COMMON,
      ...CLOCKS,
      ...['genet', 'broadcom', 'bcm7xxx', 'bcm-phy-lib', 'mdio-bcm-unimac', 'bcm2711_thermal'],
      ...['xhci-pci', 'dwc2', 'phy-generic', 'roles'],
    ],
    firmware: ['start4.elf', 'fixup4.dat'],
    deviceTrees: ['bcm2711-rpi-4-b.dtb'],
  },
  pi3: {
    arch: 'arm64',
    boot: 'pi',
    console: 'console=ttyS1,115200',
    rootDrivers: [...VERITY, ...PI_STORAGE, 'sha256-arm64'],
    drivers: [
      ...COMMON,
      ...PI_COMMON,
      ...CLOCKS,
      ...['smsc95xx', 'lan78xx', 'bcm2835_thermal', 'onboard-usb-dev', 'dwc2', 'phy-generic', 'roles'],
    ],
    firmware: ['bootcode.bin', 'start.elf', 'fixup.dat'],
    deviceTrees: ['bcm2837-rpi-3-b.dtb', 'bcm2837-rpi-3-b-plus.dtb'],
  },
};
