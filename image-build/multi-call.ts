/**
 * The program of the bundle: every tool in one file. `node ghostpipe.cjs TOOL ...`, or a link to it that has the name of
 * a tool (ghostpipe-relay, paramant-sender, ...).
 *
 * `evidence` is not in it: it looks at the sources that the software is made of, so it runs from them.
 */
import { basename } from 'node:path';
import { runProcess, TOOLS, type Tool } from '../tools/ghostpipe/main.ts';

const APPLIANCE: Tool = {
  name: 'appliance',
  summary: 'what the appliance does at boot and while it runs; its units call it',
  load: () => import('../appliance/main.ts'),
};
const BUNDLED = [...TOOLS.filter(({ name }) => name !== 'evidence'), APPLIANCE];
const calledAs = basename(process.argv[1] ?? '', '.cjs');
const words = process.argv.slice(2);

void runProcess(BUNDLED.some(({ link }) => link === calledAs) ? [calledAs, ...words] : words, BUNDLED);
