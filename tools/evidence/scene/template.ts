/**
 * The site that checks play on, made by the tools of the product as an operator would: senders, receivers and an auditor in
 * each zone where a check needs one, and a sender that will be revoked. Every scene works on a copy of it.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIN_BLOCK_BYTES } from '../../../protocol/block.ts';
import { Problem } from '../../../protocol/problem.ts';
import { ToolProcess } from '../../lib/tool-process.ts';
import { dropAtEnd, dropNow } from './leftovers.ts';

/** Who belongs to the site; receivers first, so that routes have somewhere to lead. */
const DEVICES = [
  'historian --role receive --zone it',
  'mirror --role receive --zone it',
  'ot-reader --role receive --zone ot',
  'auditor --role audit --zone management',
  'clerk --role operate --zone management',
  'plc --role send --zone ot --to historian',
  'plc2 --role send --zone ot --to historian',
  'it-sender --role send --zone it --to historian',
  'leaver --role send --zone ot --to historian',
] as const;
type First<S extends string> = S extends `${infer N} ${string}` ? N : never;
export type DeviceName = First<(typeof DEVICES)[number]>;

/** Where the relay of the template stands; each scene puts its own address there. */
export const TEMPLATE_ADDRESS = '127.0.0.1';

/** Runs a tool to its end; gives its exit code and both outputs. */
export async function runTool(
  words: readonly string[],
  options: { readonly nodeOptions?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const tool = new ToolProcess(words, {
    ...options,
    onLine: (line) => void stdout.push(line),
    onNotice: (line) => void stderr.push(line),
  });
  tool.stdin.end();
  const code = await tool.exited;
  return { code, stdout: stdout.join('\n'), stderr: stderr.join('\n') };
}

/** Makes the site in a new private folder, and gives its path; whoever asked removes it. */
export async function makeTemplate(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-evidence-'));
  dropAtEnd(folder);
  const site = join(folder, 'site');
  try {
    const url = `https://${TEMPLATE_ADDRESS}:3000`;
    const size = String(MIN_BLOCK_BYTES);
    await provision(['site', 'twin', '--url', url, '--interval', '1', '--block-size', size, '--dir', site]);
    for (const device of DEVICES) {
      const words = device.split(' ');
      await provision(['device', ...words, '--dir', site, '--out', join(folder, 'hosts', words[0]!)]);
    }
    return folder;
  } catch (thrown) {
    removeTemplate(folder);
    throw thrown;
  }
}

async function provision(words: readonly string[]): Promise<void> {
  const { code, stderr } = await runTool(['provision', ...words]);
  if (code !== 0) throw new Problem('internal', `ghostpipe-provision ${words[0]} ended with ${code}: ${stderr}`);
}

/** Removes what `makeTemplate` made. */
export function removeTemplate(folder: string): void {
  dropNow(folder);
}

/** Does `act` with the site of `makeTemplate`, which is gone afterwards. */
export async function withTemplate<T>(act: (template: string) => Promise<T>): Promise<T> {
  const template = await makeTemplate();
  try {
    return await act(template);
  } finally {
    removeTemplate(template);
  }
}
