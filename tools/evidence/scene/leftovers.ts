/** What must not outlive this process: twins that run, and folders with throwaway keys. */
import { rmSync } from 'node:fs';
import { constants } from 'node:os';

const folders = new Set<string>();
const processes = new Set<{ signal(name: NodeJS.Signals): void }>();
let watching = false;

/** Removes the folder when this process ends. */
export function dropAtEnd(folder: string): void {
  watch();
  folders.add(folder);
}

/** Kills the process when this one ends. */
export function killAtEnd(child: { signal(name: NodeJS.Signals): void }): void {
  watch();
  processes.add(child);
}

/** Removes the folder now. */
export function dropNow(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** The process has ended. */
export function hasEnded(child: { signal(name: NodeJS.Signals): void }): void {
  processes.delete(child);
}

function watch(): void {
  if (watching) return;
  watching = true;
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(name, () => process.exit(128 + constants.signals[name]));
  }
  process.once('exit', () => {
    for (const child of processes) child.signal('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
}
