/** FAT file systems as files: labels, serial numbers and times are given, nothing is random. */
import { truncateSync, writeFileSync } from 'node:fs';
import type { Tools } from './tools.ts';

const MIB = 1 << 20;

export interface FatPlan {
  /** At most 11 capital letters. */
  readonly label: string;
  readonly mebibytes: number;
  /** 32 for what firmware reads: UEFI asks for it. */
  readonly bits: 16 | 32;
  /** Eight hexadecimal digits. */
  readonly serial: string;
}

/** Makes `file` a FAT file system with `content` (files and folders of the host) at its top, in this order. */
export function makeFat(tools: Tools, file: string, plan: FatPlan, content: readonly string[] = []): void {
  writeFileSync(file, '');
  truncateSync(file, plan.mebibytes * MIB);
  const shape = ['-F', String(plan.bits), ...(plan.bits === 32 ? ['-s', '1'] : [])];
  tools.run('usr/sbin/mkfs.vfat', [...shape, '-i', plan.serial, '-n', plan.label, '--invariant', file]);
  // -m keeps the times of the files, -s takes folders whole
  if (content.length > 0) tools.run('usr/bin/mcopy', ['-i', file, '-m', '-s', ...content, '::/']);
}
