/** One door to every tool: `ghostpipe TOOL ...`, or a tool under the name that its link has. */
import { setFlagsFromString } from 'node:v8';
import { asProblem } from '../../protocol/problem.ts';
import { EXIT } from '../lib/command.ts';
import { readVersion } from '../lib/version.ts';

/** What each tool module exports: runs with its arguments and gives the exit code. */
export interface ToolModule {
  main(argv: readonly string[]): Promise<number>;
}

export interface Tool {
  readonly name: string;
  /** The name of its link in bin/, when it has one. */
  readonly link?: string;
  readonly summary: string;
  /** Loads the module: only the tool that runs is read from disk. */
  load(): Promise<ToolModule>;
}

export const TOOLS: readonly Tool[] = [
  {
    name: 'start',
    summary: 'run a relay with a site of its own on this machine, and print what to paste next',
    load: () => import('./start.ts'),
  },
  {
    name: 'demo',
    summary: 'carry readings of this machine through a relay, and draw what happens',
    load: () => import('./demo.ts'),
  },
  {
    name: 'status',
    summary: 'ask a relay whether it is ready, what it holds, and when each device was last heard',
    load: () => import('./status.ts'),
  },
  {
    name: 'relay',
    link: 'ghostpipe-relay',
    summary: 'run the relay: blocks in, blocks out, nothing kept',
    load: () => import('../../relay/main.ts'),
  },
  {
    name: 'provision',
    link: 'ghostpipe-provision',
    summary: 'make a site, enrol devices, publish the roster, revoke',
    load: () => import('../provision/main.ts'),
  },
  {
    name: 'sender',
    link: 'paramant-sender',
    summary: 'send what arrives on stdin or in a file, one full block per interval',
    load: () => import('../sender/main.ts'),
  },
  {
    name: 'receiver',
    link: 'paramant-receiver',
    summary: 'receive, verify, store, acknowledge',
    load: () => import('../receiver/main.ts'),
  },
  {
    name: 'audit',
    link: 'ghostpipe-audit',
    summary: "export the relay's audit log, verify it, and look into it",
    load: () => import('../audit/main.ts'),
  },
  {
    name: 'evidence',
    link: 'ghostpipe-evidence',
    summary: 'look at a relay, and say which requirement of IEC 62443 is met, how, and what is open',
    load: () => import('../evidence/main.ts'),
  },
];

/** Runs the tool that the first word names, with the words after it; gives the exit code. */
export async function main(argv: readonly string[], tools: readonly Tool[] = TOOLS): Promise<number> {
  const [word, ...rest] = argv;
  if (word === '--help' || word === '-h') {
    process.stdout.write(helpText(tools));
    return EXIT.ok;
  }
  if (word === '--version') {
    const { name, version, engines } = await readVersion();
    process.stdout.write(`${name} ${version}, Node ${process.versions.node} (needs ${engines})\n`);
    return EXIT.ok;
  }
  const tool = tools.find(({ name, link }) => word !== undefined && (word === name || word === link));
  if (!tool) {
    const fact = word === undefined ? 'no tool is named' : `"${word}" is not a tool`;
    process.stderr.write(`ghostpipe: ${fact}\n\n${helpText(tools)}`);
    return EXIT.usage;
  }
  return await (await tool.load()).main(rest);
}

function helpText(tools: readonly Tool[]): string {
  const width = Math.max(...tools.map(({ name }) => name.length));
  return [
    'ghostpipe: carries sensor data across the OT/IT boundary',
    '',
    'usage: ghostpipe TOOL [OPTIONS]      (each tool has --help)',
    '       ghostpipe --help | --version',
    '',
    ...tools.map(({ name, link, summary }) => `  ${name.padEnd(width)}  ${summary}${link ? ` (also: ${link})` : ''}`),
    '',
  ].join('\n');
}

/** The whole process: as `main`, with its exit code, and a sentence for what no tool caught. */
export async function runProcess(argv: readonly string[], tools: readonly Tool[] = TOOLS): Promise<void> {
  // Before a tool is loaded: V8 keeps its space for new objects at one MiB. What an exchange leaves behind dies young,
  // and is collected as cheaply from there as from the 32 MiB that the space would grow to.
  setFlagsFromString('--semi-space-growth-factor=1');
  try {
    process.exitCode = await main(argv, tools);
  } catch (thrown) {
    process.stderr.write(`ghostpipe: ${asProblem(thrown).detail}\n`);
    process.exitCode = EXIT.failed;
  }
}

if (import.meta.main) await runProcess(process.argv.slice(2));
