/** The checks of the image on real image files: clean ones pass, each sabotage is caught, and what is none is refused. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ImageCheck } from '../../tools/evidence/check.ts';
import { IMAGE_ROOT_CHECKS } from '../../tools/evidence/checks/image-root.ts';
import { IMAGE_SETTING_CHECKS } from '../../tools/evidence/checks/image-settings.ts';
import { readGiven } from '../../tools/evidence/given.ts';
import { boardOf, readImage } from '../../tools/evidence/image/image-file.ts';
import type { ImageView } from '../../tools/evidence/image/image-view.ts';
import { type Observation, resultOf } from '../../tools/evidence/record.ts';
import { runCheckCommand } from '../../tools/evidence/run-command.ts';
import { selfTestCommand } from '../../tools/evidence/self-test-command.ts';
import { makeAuditExport } from '../fixtures/audit-export.ts';
import { captured } from '../fixtures/command.ts';
import { makeSmallImage } from '../fixtures/small-image.ts';

t.setTimeout(120_000);

const FOLDER = t.testdir();
const CHECKS: readonly ImageCheck[] = [...IMAGE_ROOT_CHECKS, ...IMAGE_SETTING_CHECKS];
const VM = makeSmallImage(join(FOLDER, 'vm'), 'vm');
const PI4 = makeSmallImage(join(FOLDER, 'pi4'), 'pi4');

/** What a check says of an image, and what it saw that is not as it has to be. */
function looked(check: ImageCheck, image: ImageView): string {
  const observed: Observation[] = [];
  check.look(
    image,
    (name, value, limit, rule = 'is', unit = '') => void observed.push({ name, value, limit, rule, unit }),
  );
  return `${check.id} ${resultOf(observed)}`;
}

for (const [board, file] of [
  ['vm', VM],
  ['pi4', PI4],
] as const) {
  t.test(`a clean image for ${board} passes, and each sabotage of it is caught`, async (t) => {
    const image = readImage(file);
    t.equal(boardOf(image), board);
    t.same(
      CHECKS.map((check) => looked(check, image)),
      CHECKS.map(({ id }) => `${id} pass`),
    );
    for (const check of CHECKS) {
      for (const [name, spoil] of Object.entries(check.sabotages)) {
        t.equal(looked(check, spoil(image)), `${check.id} fail`, name);
      }
    }
  });
}

t.test('bytes of the file itself: one bit of the root is seen', async (t) => {
  const { partitions } = readImage(PI4);
  const bytes = readFileSync(PI4);
  bytes[partitions[1]!.offset + 700]! ^= 1;
  const spoilt = join(FOLDER, 'spoilt.img');
  writeFileSync(spoilt, bytes);
  const verity = CHECKS.find(({ id }) => id === 'image-verity')!;
  t.throws(() => readImage(spoilt), { code: 'file-invalid' }, 'or unsquashfs says so first');
  const clean = readImage(PI4);
  const read = (offset: number, length: number): Buffer => bytes.subarray(offset, offset + length);
  t.equal(looked(verity, { ...clean, read }), 'image-verity fail');
});

t.test('what is no whole image, or one for another board, is refused', async (t) => {
  const half = join(FOLDER, 'half.img');
  writeFileSync(half, readFileSync(VM));
  truncateSync(half, 5_000_000);
  t.throws(() => readImage(half), { code: 'file-invalid', detail: /it is cut off/ });
  writeFileSync(half, Buffer.alloc(4096));
  t.throws(() => readImage(half), { code: 'file-invalid', detail: /no partition table/ });
  t.throws(() => readImage(FOLDER), { code: 'file-invalid' });
  const run = ['--profile', 'sl2', '--key', join(FOLDER, 'key'), '--out', join(FOLDER, 'never')];
  const ran = (...words: string[]) => captured(t, () => runCheckCommand([...run, ...words]));
  t.match(await ran('--image', VM), { code: 2, err: /\[usage\]/ });
  t.match(await ran('--board', 'vm'), { code: 2, err: /\[usage\]/ });
  t.match(await ran('--image', VM, '--board', 'pi3'), { code: 3, err: /for the board vm, not for pi3/ });
  t.match(await ran('--image', half, '--board', 'vm'), { code: 3, err: /\[file-invalid\]/ });
});

t.test('a run is given an image of its board, and a log of its relay', async (t) => {
  const log = makeAuditExport(join(FOLDER, 'export'), { records: [20] });
  const options: Record<string, string> = { image: PI4, board: 'pi4-2nic', log: log.folder, 'log-key': log.logPin };
  const given = readGiven({ text: (name) => options[name], texts: () => [], flag: () => false, positionals: [] });
  t.equal(given.place.imageDigest, given.image!.sha256);
  t.equal(given.place.board, 'pi4-2nic');
  t.equal(given.log!.records.length, 20);
});

t.test('the self-test spoils the given image', async (t) => {
  const words = ['--image', PI4, '--check', 'image-verity', '--check', 'image-no-shell', '--json'];
  t.match(await captured(t, () => selfTestCommand(words)), { code: 0, out: /"sabotages":8,"caught":8/ });
});
