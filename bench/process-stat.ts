/** What the kernel counts of a process (proc(5)): processor time of all its threads, and memory. */
import { readFileSync } from 'node:fs';

/** Clock ticks a second: 100 on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const TICKS = 100;

export interface CpuSeconds {
  readonly user: number;
  readonly system: number;
}

/** Processor time that the processes `pids` used so far, together. */
export function cpuSecondsOf(pids: readonly number[]): CpuSeconds {
  let [user, system] = [0, 0];
  for (const pid of pids) {
    // Fields 14 and 15; the name in field 2 may hold anything, but no later field has a bracket.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)!.split(' ');
    user += Number(fields[11]) / TICKS;
    system += Number(fields[12]) / TICKS;
  }
  return { user, system };
}

/** Resident memory of a process in MiB. */
export function rssMiBOf(pid: number): number {
  return statusMiB(pid, 'VmRSS');
}

/** The most that it ever was. */
export function peakRssMiBOf(pid: number): number {
  return statusMiB(pid, 'VmHWM');
}

/** The processes that `pid` started and that still run. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function statusMiB(pid: number, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1];
  return Number(kib) / 1024;
}
