/** What is read of an image, and the checks of it on a made one, which needs no tools of the host. */
import t from 'tap';
import { IMAGE_ROOT_CHECKS } from '../../tools/evidence/checks/image-root.ts';
import { IMAGE_SETTING_CHECKS } from '../../tools/evidence/checks/image-settings.ts';
import { readGiven } from '../../tools/evidence/given.ts';
import { boardOf } from '../../tools/evidence/image/image-file.ts';
import type { ImageView } from '../../tools/evidence/image/image-view.ts';
import { modelImage } from '../../tools/evidence/image/model.ts';
import { readPartitions } from '../../tools/evidence/image/partitions.ts';
import { changed, withEntry, withFile, without } from '../../tools/evidence/image/sabotage.ts';
import { chainsOf, mountsOf, sysctlOf, unitOf } from '../../tools/evidence/image/settings.ts';
import { readVerity } from '../../tools/evidence/image/verity.ts';
import { type Observation, resultOf } from '../../tools/evidence/record.ts';

const IMAGE = modelImage();
const LINK = { kind: 'link', mode: 0o777, uid: 0, gid: 0 } as const;
const CHECKS = [...IMAGE_ROOT_CHECKS, ...IMAGE_SETTING_CHECKS];

function looked({ look }: (typeof CHECKS)[number], image: ImageView): string {
  const observed: Observation[] = [];
  look(image, (name, value, limit, rule = 'is', unit = '') => void observed.push({ name, value, limit, rule, unit }));
  return resultOf(observed);
}

t.test('the made image is clean, and each sabotage of it is caught', async (t) => {
  for (const check of CHECKS) {
    t.equal(looked(check, IMAGE), 'pass', check.id);
    for (const [name, spoil] of Object.entries(check.sabotages)) {
      t.equal(looked(check, spoil(IMAGE)), 'fail', `${check.id} ${name}`);
    }
  }
});

t.test('settings are read as the programs of the device read them', async (t) => {
  const later = withFile('etc/sysctl.d/60-late.conf', '-kernel/sysrq = 1\n# net.ipv4.ip_forward = 1\n')(IMAGE);
  t.equal(sysctlOf(later).get('kernel.sysrq'), '1', 'a later file counts');
  t.equal(sysctlOf(later).get('net.ipv4.ip_forward'), '0', 'a comment does not');
  const shadowed = withFile('etc/systemd/system/ghostpipe-relay.service', '[Service]\nUser=root\n')(IMAGE);
  t.same(unitOf(shadowed, 'ghostpipe-relay.service')?.get('Service.User'), ['root']);
  t.equal(unitOf(IMAGE, 'nothing.service'), undefined);
  const masked = withEntry('etc/systemd/system/var.mount', { ...LINK, target: '/dev/null' })(IMAGE);
  t.notOk(mountsOf(masked).some(({ where }) => where === '/var'));
  const open = withFile(
    'etc/a.nft',
    'table ip t { set s { type x; } chain c { type filter hook input priority 0; } }',
  )(IMAGE);
  t.match(chainsOf(open)[0], { hook: 'input', policy: 'accept' }, 'without a policy everything is accepted');
});

t.test('what is not there cannot be sabotaged', async (t) => {
  t.throws(() => changed(/etc\/passwd/, 'nobody', '')(IMAGE), /no file/);
  t.throws(() => without(/nothing/)(IMAGE), /nothing on the root/);
});

t.test('a disk that is none of ours is refused', async (t) => {
  const refused = { code: 'file-invalid' };
  const disk = Buffer.alloc(8192);
  const read = (offset: number, length: number): Buffer => disk.subarray(offset, offset + length);
  t.throws(() => readPartitions(read), refused);
  disk.writeUInt16LE(0xaa55, 510);
  t.same(readPartitions(read), []);
  disk[446 + 4] = 0x83;
  disk.writeUInt32LE(2, 446 + 8);
  t.match(readPartitions(read), [{ offset: 1024, holds: 'unknown', label: '' }]);
  disk.write('FAT16', 1024 + 54);
  disk.write('SITE       ', 1024 + 43);
  t.match(readPartitions(read), [{ holds: 'fat', label: 'SITE' }]);
  disk[446 + 4] = 0xee;
  t.throws(() => readPartitions(read), refused, 'a broken GPT');
  disk.write('EFI PART', 512);
  disk.writeUInt32LE(999, 512 + 80);
  t.throws(() => readPartitions(read), refused, 'a GPT with too many entries');
  t.throws(() => boardOf(IMAGE), refused);
});

t.test('a verity tree of another kind is refused', async (t) => {
  const root = IMAGE.partitions[1]!;
  const spoilt = (at: number) => {
    const superblock = root.offset + 200 * 4096;
    const read = (offset: number, length: number): Buffer => {
      const bytes = IMAGE.read(offset, length);
      if (offset === superblock) bytes[at]! ^= 1;
      return bytes;
    };
    return { ...IMAGE, read };
  };
  t.ok(readVerity(IMAGE, root));
  t.throws(() => readVerity(spoilt(0), root), { code: 'file-invalid', detail: /no verity superblock/ });
  t.throws(() => readVerity(spoilt(32), root), { code: 'file-invalid', detail: /is not ours/ });
});

t.test('what a run is given must be whole', async (t) => {
  const given = (options: Readonly<Record<string, string>>) =>
    readGiven({ text: (name) => options[name], texts: () => [], flag: () => false, positionals: [] });
  t.same(given({}), { place: { board: 'host', imageDigest: '' } });
  t.throws(() => given({ board: 'vm' }), { code: 'usage' });
  t.throws(() => given({ image: 'x.img', board: 'host' }), { code: 'usage' });
  t.throws(() => given({ image: 'x.img', board: 'vm' }), { code: 'file-invalid' });
  t.throws(() => given({ log: '.' }), { code: 'usage' });
});
