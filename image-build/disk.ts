/** The disk: boot files, the root, and the empty partition for the site's configuration, put together by genimage. */
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CARD } from '../appliance/layout.ts';
import type { Board } from './boards.ts';
import { makeFat } from './fat.ts';
import type { Tools } from './tools.ts';
import { asUuid, derive, type Verity } from './verity.ts';

const MIB = 1 << 20;
/** FAT32 with clusters of 512 bytes needs so much. */
const LEAST_BOOT_MIB = 34;
const SPARE_MIB = 2;
const CARD_MIB = 16;

/** One file of the boot partition; `path` may have folders. */
export interface BootFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** Writes `disk.img` into `folder`, where `root.img` stands. */
export function makeDisk(
  tools: Tools,
  folder: string,
  board: Board,
  verity: Verity,
  files: readonly BootFile[],
  epoch: number,
): void {
  const boot = join(folder, 'boot');
  for (const { path, content } of files) writeBelow(boot, path, content, epoch);
  const mebibytes = Math.ceil(files.reduce((sum, { content }) => sum + content.length, 0) / MIB) + SPARE_MIB;
  const top = readdirSync(boot).sort();
  const serial = (of: string): string => derive(of, verity.rootHash).slice(0, 8);
  makeFat(
    tools,
    join(folder, 'boot.vfat'),
    { label: 'BOOT', bits: 32, mebibytes: Math.max(mebibytes, LEAST_BOOT_MIB), serial: serial('boot') },
    top.map((name) => join(boot, name)),
  );
  makeFat(tools, join(folder, 'card.vfat'), {
    label: CARD.label,
    bits: 16,
    mebibytes: CARD_MIB,
    serial: serial('card'),
  });
  writeFileSync(join(folder, 'genimage.cfg'), diskLayout(board.boot, verity.rootHash));
  mkdirSync(join(folder, 'genimage', 'root'), { recursive: true });
  const places = ['--rootpath', 'genimage/root', '--tmppath', 'genimage/tmp', '--inputpath', '.', '--outputpath', '.'];
  tools.run('usr/bin/genimage', ['--config', 'genimage.cfg', ...places], { cwd: folder });
}

/** genimage's description of the disk: every number in it comes from the root hash. */
export function diskLayout(boot: Board['boot'], rootHash: string): string {
  const uuid = (of: string): string => asUuid(derive(of, rootHash));
  const table =
    boot === 'uefi'
      ? `partition-table-type = "gpt" disk-uuid = "${uuid('disk')}"`
      : `partition-table-type = "mbr" disk-signature = 0x${derive('disk', rootHash).slice(0, 8)}`;
  const partition = (name: string, image: string, type: string, gptType: string): string => {
    const kind =
      boot === 'uefi'
        ? `partition-type-uuid = "${gptType}" partition-uuid = "${uuid(name)}"`
        : `partition-type = ${type}${name === 'boot' ? ' bootable = true' : ''}`;
    return `  partition ${name} { ${kind} image = "${image}" }`;
  };
  return [
    'image disk.img {',
    `  hdimage { ${table} align = 1M }`,
    partition('boot', 'boot.vfat', '0x0C', 'U'),
    partition('root', 'root.img', '0x83', 'L'),
    partition('card', 'card.vfat', '0x0E', 'F'),
    '}',
    '',
  ].join('\n');
}

/** Writes a file of the boot partition, and sets the time of it and of the folders on the way. */
function writeBelow(boot: string, path: string, content: Uint8Array, epoch: number): void {
  mkdirSync(join(boot, dirname(path)), { recursive: true });
  writeFileSync(join(boot, path), content);
  for (let each = path; each !== '.'; each = dirname(each)) utimesSync(join(boot, each), epoch, epoch);
}
