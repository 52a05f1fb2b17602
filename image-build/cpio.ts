/** Archives in the format that the kernel unpacks at its start (cpio, "newc"): all owned by root, in order of names. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const TRAILER = 'TRAILER!!!';

/** The folder `root` as an archive; every file has the time `epoch`, in seconds since 1970. */
export function cpioOf(root: string, epoch: number): Buffer {
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  const entries = paths.map((path, index) => {
    const stat = lstatSync(join(root, path));
    const content = stat.isFile()
      ? readFileSync(join(root, path))
      : Buffer.from(stat.isSymbolicLink() ? readlinkSync(join(root, path)) : '');
    return entry(index + 1, path, stat.mode, epoch, content);
  });
  return Buffer.concat([...entries, entry(0, TRAILER, 0, 0, Buffer.alloc(0))]);
}

function entry(inode: number, path: string, mode: number, time: number, content: Buffer): Buffer {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, uid, gid, links, time, size, four device numbers, length of the name, checksum
  const fields = [inode, mode, 0, 0, 1, time, content.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), name])), padded(content)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
