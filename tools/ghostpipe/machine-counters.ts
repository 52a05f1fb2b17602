/** Real readings from this machine's own counters: load, memory, disk, network, temperatures where there are any. */
import { readdirSync, readFileSync } from 'node:fs';

/** One source of readings; `read` gives its present values as `name=value` words. */
export interface Source {
  readonly name: string;
  read(): string;
}

/** Reads a small text file of the kernel. */
export type ReadText = (path: string) => string;

const THERMAL = '/sys/class/thermal';
const SECTOR_BYTES = 512;

/** The sources that this machine has. */
export function machineSources(read: ReadText = (path) => readFileSync(path, 'utf8')): readonly Source[] {
  const candidates: readonly Source[] = [
    { name: 'load', read: () => loadWords(read('/proc/loadavg')) },
    { name: 'memory', read: () => memoryWords(read('/proc/meminfo')) },
    { name: 'disk', read: () => diskWords(read('/proc/diskstats')) },
    { name: 'network', read: () => networkWords(read('/proc/net/dev')) },
    ...thermalZones().map((zone) => ({
      name: `temperature-${zone}`,
      read: () => `celsius=${Number(read(`${THERMAL}/${zone}/temp`)) / 1000}`,
    })),
  ];
  return candidates.filter(works);
}

/** Load averages over 1, 5 and 15 minutes (proc_loadavg(5)). */
export function loadWords(text: string): string {
  const [one, five, fifteen] = text.split(' ');
  return `one=${one} five=${five} fifteen=${fifteen}`;
}

/** Memory in KiB (proc_meminfo(5)). */
export function memoryWords(text: string): string {
  const value = (key: string) => new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? '0';
  return `total_kib=${value('MemTotal')} available_kib=${value('MemAvailable')}`;
}

/** Bytes read and written by all disks together since boot (proc_diskstats(5); sectors of 512 bytes). */
export function diskWords(text: string): string {
  const rows = table(text).filter((row) => /^(sd[a-z]+|vd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(row[2]!));
  return `read_bytes=${sum(rows, 5) * SECTOR_BYTES} written_bytes=${sum(rows, 9) * SECTOR_BYTES}`;
}

/** Bytes received and sent on all interfaces but loopback since boot (proc_pid_net(5)). */
export function networkWords(text: string): string {
  const rows = table(text.replaceAll(':', ' ')).filter(([name, bytes]) => name !== 'lo' && /^\d+$/.test(bytes ?? ''));
  return `received_bytes=${sum(rows, 1)} sent_bytes=${sum(rows, 9)}`;
}

function table(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
}

function sum(rows: readonly string[][], column: number): number {
  return rows.reduce((total, row) => total + Number(row[column]), 0);
}

function thermalZones(): string[] {
  try {
    return readdirSync(THERMAL).filter((name) => name.startsWith('thermal_zone'));
  } catch {
    return [];
  }
}

function works(source: Source): boolean {
  try {
    source.read();
    return true;
  } catch {
    return false;
  }
}
