/**
 * What of the software lies where in the root of the appliance, and with which words a unit starts it. Today that is
 * the pinned Node and the bundle; a single executable can take their place here without a change to any unit.
 */
import { join } from 'node:path';
import type { Bundle } from './bundle.ts';

/** A file of the root: where it comes from, where it goes (absolute), and its mode. All belong to root. */
export interface RuntimeFile {
  readonly from: string;
  readonly to: string;
  readonly mode: number;
}

const NODE = '/usr/bin/node';
const FOLDER = '/usr/lib/ghostpipe';

/** The words with which a unit starts a tool: the name of the tool and its own words follow. */
export const COMMAND: readonly string[] = [NODE, `${FOLDER}/ghostpipe.cjs`];

/** An `ExecStart=` of `tool` with its words. */
export function execLine(tool: string, ...words: readonly string[]): string {
  return [...COMMAND, tool, ...words].join(' ');
}

/** Programs of the bundle that need a person, a terminal or the folder of an operator: not for the appliance. */
const NOT_ON_THE_APPLIANCE = ['demo-sender.cjs'];

/** The files of the software in the root, from a bundle and the Node binary of the board's processor. */
export function runtimeFiles({ folder, files }: Pick<Bundle, 'folder' | 'files'>, node: string): RuntimeFile[] {
  const bundled = files.filter((path) => !NOT_ON_THE_APPLIANCE.includes(path));
  return [
    { from: node, to: NODE, mode: 0o755 },
    ...bundled.map((path) => ({ from: join(folder, path), to: join(FOLDER, path), mode: 0o644 })),
  ];
}
