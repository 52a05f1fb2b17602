/**
 * What of the software lies where in the root of the appliance, and with which words a unit starts it. Today that is
 * the pinned Node and the bundle; a single executable can take their place here without a change to any unit.
 */
import { join } from 'node:path';
import { ROOT, writeBundle } from './bundle.ts';
import { type NodeArch, nodeBinary } from './node-binary.ts';

export interface RuntimeFile {
  /** In the root, without the slash at its front. All belong to root. */
  readonly path: string;
  /** On this host. */
  readonly source: string;
  readonly mode: number;
}

const NODE = 'usr/bin/node';
/** The folder of the bundle in the root. */
export const SOFTWARE = 'usr/lib/ghostpipe';
/** Part of the demo, which needs a person to look at it. */
const LEFT_OUT = ['demo-sender.cjs'];
/** Node's names of the processors, by Debian's. */
const NODE_ARCH: Readonly<Record<'amd64' | 'arm64', NodeArch>> = { amd64: 'x64', arm64: 'arm64' };

/** The words with which a unit starts a tool: the tool's name and its own words follow. */
export const RUN = `/${NODE} /${SOFTWARE}/ghostpipe.cjs`;

/**
 * The files of the software in the root of an image for `arch` (Debian's name). `folder` keeps what they are made from:
 * the bundle is written anew, Node is fetched when it is not there. Refuses `file-invalid` for a Node that cannot be had.
 */
export async function runtimeFiles(arch: 'amd64' | 'arm64', folder: string): Promise<readonly RuntimeFile[]> {
  const node = nodeBinary(ROOT, NODE_ARCH[arch], folder);
  const bundle = await writeBundle(join(folder, 'bundle'));
  const files = bundle.files.filter((path) => !LEFT_OUT.includes(path));
  return [
    { path: NODE, source: node, mode: 0o755 },
    ...files.map((path) => ({ path: `${SOFTWARE}/${path}`, source: join(bundle.folder, path), mode: 0o644 })),
  ];
}
