/** Whose a rendered folder is: numbers of an account, and giving it everything in the folder. */
import { chownSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The account of that name in a passwd file; refuses `file-invalid`. */
export function accountOf(path: string, name: string): Account {
  const line = readFileSync(path, 'latin1')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid = '', gid = ''] = line?.split(':') ?? [];
  if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid))
    throw new Problem('file-invalid', `${path} has no account ${name}`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** Gives the folder and the files in it to an account. */
export function giveFolder(folder: string, { uid, gid }: Account): void {
  for (const name of readdirSync(folder)) chownSync(join(folder, name), uid, gid);
  chownSync(folder, uid, gid);
}
