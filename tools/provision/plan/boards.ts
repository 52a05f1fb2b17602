/**
 * What a relay's host can carry. Figures are planned, except those of `vm`: half of what one core gave in
 * docs/benchmarks.md. `ghostpipe-provision plan` refuses what is beyond them.
 */

export interface Board {
  readonly what: string;
  /** Of its network card, in each direction. */
  readonly nicMbit: number;
  /** Memory for blocks: what operating system, relay and audit log leave. */
  readonly blockMiB: number;
  /** Million bytes of blocks a second, in and out together: the processor's limit. */
  readonly blockMBs: number;
}

export const BOARDS = {
  pi4: { what: 'Raspberry Pi 4, 4 GB', nicMbit: 1000, blockMiB: 3200, blockMBs: 80 },
  pi3: { what: 'Raspberry Pi 3B+, 1 GB', nicMbit: 300, blockMiB: 480, blockMBs: 16 },
  arm64: { what: 'ARM64 gateway with AES instructions, 4 GB', nicMbit: 1000, blockMiB: 3200, blockMBs: 160 },
  vm: { what: 'virtual machine, two cores with AES instructions, 4 GB', nicMbit: 1000, blockMiB: 3200, blockMBs: 350 },
} as const satisfies Readonly<Record<string, Board>>;
export type BoardName = keyof typeof BOARDS;
export const BOARD_NAMES = Object.keys(BOARDS) as BoardName[];
