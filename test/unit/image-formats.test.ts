/** What the image build writes itself: archives, unified kernel images, the layout of the disk; and reads: ELF. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { BOARD_NAMES, BOARDS } from '../../image-build/boards.ts';
import { commandLine } from '../../image-build/boot-files.ts';
import { cpioOf } from '../../image-build/cpio.ts';
import { diskLayout } from '../../image-build/disk.ts';
import { neededLibraries } from '../../image-build/elf.ts';
import { Progress } from '../../image-build/progress.ts';
import { addSections } from '../../image-build/uki.ts';

const VERITY = {
  rootHash: '12'.repeat(32),
  salt: '34'.repeat(32),
  uuid: '00000000-0000-4000-8000-000000000000',
  dataBytes: 8192,
  superblock: '56'.repeat(32),
};

t.test('an archive has every file once, in order, with root as owner and one time', async (t) => {
  const root = t.testdir({ b: 'two', a: { c: 'x' } });
  symlinkSync('b', join(root, 'z'));
  const archive = cpioOf(root, 1000);
  const entries: [string, string, number[]][] = [];
  for (let at = 0; at < archive.length; ) {
    t.equal(archive.toString('latin1', at, at + 6), '070701');
    const fields = Array.from({ length: 13 }, (_, i) =>
      Number.parseInt(archive.toString('latin1', at + 6 + i * 8, at + 14 + i * 8), 16),
    );
    const [, mode, uid, gid, , time, size, , , , , length] = fields as number[];
    const name = archive.toString('latin1', at + 110, at + 110 + length! - 1);
    const begin = (at + 110 + length! + 3) & ~3;
    entries.push([name, archive.toString('latin1', begin, begin + size!), [mode! >> 12, uid!, gid!, time!]]);
    at = (begin + size! + 3) & ~3;
  }
  t.same(entries, [
    ['a', '', [4, 0, 0, 1000]],
    ['a/c', 'x', [8, 0, 0, 1000]],
    ['b', 'two', [8, 0, 0, 1000]],
    ['z', 'b', [10, 0, 0, 1000]],
    ['TRAILER!!!', '', [0, 0, 0, 0]],
  ]);
});

/** The smallest PE32+ file with one section and room for `spare` more. */
function stubWith(spare: number): Buffer {
  const headers = 0x40 + 24 + 112;
  const room = headers + 40 * (1 + spare);
  const stub = Buffer.alloc(0x400);
  stub.write('MZ');
  stub.writeUInt32LE(0x40, 0x3c);
  stub.write('PE\0\0', 0x40, 'latin1');
  stub.writeUInt16LE(1, 0x46);
  stub.writeUInt16LE(112, 0x54);
  stub.writeUInt16LE(0x20b, 0x58);
  stub.writeUInt32LE(0x1000, 0x58 + 32);
  stub.writeUInt32LE(0x200, 0x58 + 36);
  stub.writeUInt32LE(room, 0x58 + 60);
  stub.write('.text', headers, 'latin1');
  stub.writeUInt32LE(0x123, headers + 8);
  stub.writeUInt32LE(0x1000, headers + 12);
  return stub;
}

t.test('sections stand where their headers say, in memory behind one another', async (t) => {
  const content = [Buffer.alloc(0x1001, 'a'), Buffer.from('console=x')] as const;
  const file = addSections(stubWith(2), [
    ['.linux', content[0]],
    ['.cmdline', content[1]],
  ]);
  t.equal(file.readUInt16LE(0x46), 3);
  const found = [1, 2].map((index) => {
    const header = 0x40 + 24 + 112 + index * 40;
    const [size, address, , at] = [8, 12, 16, 20].map((offset) => file.readUInt32LE(header + offset));
    const name = file.toString('latin1', header, header + 8).replaceAll('\0', '');
    return { name, address, text: file.toString('latin1', at, at! + size!) };
  });
  t.same(found, [
    { name: '.linux', address: 0x2000, text: content[0].toString() },
    { name: '.cmdline', address: 0x4000, text: 'console=x' },
  ]);
  t.equal(file.readUInt32LE(0x58 + 56), 0x5000, 'the size in memory');
  t.equal(file.length % 0x200, 0);
});

t.test('a stub without room, or that is none, is refused', async (t) => {
  t.throws(() => addSections(stubWith(0), [['.linux', Buffer.from('x')]]), { message: /no room for 1 more/ });
  t.throws(() => addSections(Buffer.alloc(0x400), []), { message: /no PE32\+/ });
});

t.test('the libraries of a program are those that its loader names', async (t) => {
  const names = neededLibraries(readFileSync(process.execPath)) ?? [];
  t.ok(names.includes('libc.so.6'));
  const folder = t.testdir({});
  mkdirSync(join(folder, 'x'));
  writeFileSync(join(folder, 'text'), 'no program at all, but long enough for a header of sixty-four bytes or more');
  t.equal(neededLibraries(readFileSync(join(folder, 'text'))), null);
  t.equal(neededLibraries(Buffer.alloc(0)), null);
  const listed = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  for (const name of names) t.ok(listed.includes(name), name);
});

t.test('the disk is described by the root hash alone', async (t) => {
  for (const boot of ['uefi', 'pi'] as const) {
    const layout = diskLayout(boot, VERITY.rootHash);
    t.equal(diskLayout(boot, VERITY.rootHash), layout);
    t.not(diskLayout(boot, '13'.repeat(32)), layout);
    t.same(
      [...layout.matchAll(/image = "(.*?)"/g)].map(([, name]) => name),
      ['boot.vfat', 'root.img', 'card.vfat'],
    );
  }
  t.match(diskLayout('pi', VERITY.rootHash), /"mbr"[\s\S]*partition-type = 0x0C bootable = true image = "boot.vfat"/);
  t.match(diskLayout('uefi', VERITY.rootHash), /"gpt"[\s\S]*partition-type-uuid = "U"/);
});

t.test('every board is told the root hash, and locks its kernel', async (t) => {
  for (const name of BOARD_NAMES) {
    const words = commandLine(BOARDS[name], VERITY).split(' ');
    const needed = ['module.sig_enforce=1', 'lockdown=integrity', 'panic=10', 'oops=panic', 'init_on_alloc=1'];
    for (const word of [...needed, 'usbcore.authorized_default=0', `ghostpipe.roothash=${VERITY.rootHash}`]) {
      t.ok(words.includes(word), `${name}: ${word}`);
    }
    const drivers = [...BOARDS[name].rootDrivers, ...BOARDS[name].drivers];
    t.notOk(
      drivers.some((driver) => /brcm|wifi|wlan|80211|bluetooth|btusb|hci_uart|iwl|ath\d/.test(driver)),
      name,
    );
  }
});

t.test('a step is timed, also one that fails', async (t) => {
  const lines: string[] = [];
  let now = 0;
  const progress = new Progress(
    (line) => lines.push(line),
    () => now,
  );
  t.equal(
    await progress.step('one', () => {
      now += 1240;
      return 7;
    }),
    7,
  );
  await t.rejects(
    progress.step('two', () => {
      now += 100;
      throw new Error('x');
    }),
  );
  t.same(progress.timings, [
    { step: 'one', seconds: 1.2 },
    { step: 'two', seconds: 0.1 },
  ]);
  t.match(lines, [/^one +1\.2 s$/, /^two +0\.1 s$/]);
});
