import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { inclusionProof, leafHash, rootOf } from '../../protocol/merkle.ts';
import { toHex } from '../../protocol/text.ts';
import {
  encodeBundle,
  newTiles,
  parseBundle,
  parseTilePath,
  type Tile,
  tileHashes,
  tileOf,
  tileOfEntries,
  tilePath,
  tileReader,
} from '../../protocol/tile.ts';
import { treeOf } from '../fixtures/log.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';

const tilesOf = (size: number) => [...newTiles(0, size)];
const paths = (tiles: Iterable<Tile>) => [...tiles].map(tilePath);

t.test('paths (C2SP tlog-tiles, section Merkle Tree)', async (t) => {
  const cases: [string, Tile][] = [
    ['tile/0/x001/x234/067', { level: 0, index: 1_234_067, width: 256 }],
    ['tile/0/000', { level: 0, index: 0, width: 256 }],
    ['tile/1/999', { level: 1, index: 999, width: 256 }],
    ['tile/1/x001/000.p/1', { level: 1, index: 1000, width: 1 }],
    ['tile/entries/x001/234.p/255', { level: 'entries', index: 1234, width: 255 }],
    ['tile/0/x035/x184/x372/x088/831.p/255', { level: 0, index: 35_184_372_088_831, width: 255 }],
    ['tile/6/000.p/31', { level: 6, index: 0, width: 31 }],
  ];
  for (const [path, tile] of cases) {
    t.equal(tilePath(tile), path);
    t.same(parseTilePath(path), tile);
  }
  const refused = [
    '',
    'tile/0',
    'tile/0/',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/00/000',
    'tile/+0/000',
    'tile/64/000',
    'tile/7/000',
    'tile/6/000.p/32',
    'tile/6/000',
    'tile/entry/000',
    'tile/0/x000/000',
    'tile/0/x000/001',
    'tile/0/001/234',
    'tile/0/x001/x234',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/0/000.p/',
    'tile/0/000.p/1/',
    '/tile/0/000',
    'tile/0/000\n',
    'tile/0/../000',
    `tile/0/${'x999/'.repeat(5)}999`,
    `tile/0/${'x999/'.repeat(50)}999`,
    'tile/0/x035/x184/x372/x088/831',
  ];
  for (const path of refused) refuses(t, 'log-tile-invalid', () => parseTilePath(path), path);
});

t.test('the tiles of a tree (C2SP tlog-tiles, section Partial Tiles)', async (t) => {
  const tiles = tilesOf(70_000);
  const count = (level: Tile['level'], full: boolean) =>
    tiles.filter((tile) => tile.level === level && (tile.width === 256) === full);
  t.equal(count(0, true).length, 273);
  t.same(paths(count(0, false)), ['tile/0/273.p/112']);
  t.same(paths(count(1, true)), ['tile/1/000']);
  t.same(paths(count(1, false)), ['tile/1/001.p/17']);
  t.same(paths(count(2, false)), ['tile/2/000.p/1']);
  t.equal(count('entries', true).length, 273);
  t.equal(tiles.length, 274 + 274 + 2 + 1);
  t.same(paths(tilesOf(256)), ['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1']);
  t.same(paths(tilesOf(1)), ['tile/entries/000.p/1', 'tile/0/000.p/1']);
  t.same(tilesOf(0), []);
});

t.test('what is new from one tree to the next', async (t) => {
  t.same(paths(newTiles(255, 257)), [
    'tile/entries/000',
    'tile/entries/001.p/1',
    'tile/0/000',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
  ]);
  t.same(paths(newTiles(256, 258)), ['tile/entries/001.p/2', 'tile/0/001.p/2']);
  t.same(paths(newTiles(300, 300)), []);
});

t.test('each tile that a proof needs is one that the tree has', async (t) => {
  for (const size of [1, 2, 255, 256, 257, 600, 65_535, 65_536, 65_537, 70_000]) {
    const had = new Set(paths(tilesOf(size)));
    const asked = new Set<string>();
    const read = tileReader(engine, size, (tile) => {
      asked.add(tilePath(tile));
      return new Uint8Array(tile.width * 32);
    });
    for (const index of [0, Math.floor(size / 2), size - 1]) inclusionProof(engine, read, index, size);
    rootOf(engine, read, size);
    t.same(
      [...asked].filter((path) => !had.has(path)),
      [],
      `${size} leaves`,
    );
  }
});

t.test('hashes from tiles', async (t) => {
  const entries = Array.from({ length: 600 }, (_, i) => utf8(`entry ${i}`));
  const tree = treeOf(engine, entries);
  const read = tileReader(engine, 600, tree.readTile);
  sameBytes(t, rootOf(engine, read, 600), tree.root());
  for (let level = 0; level <= 9; level++) {
    for (let index = 0; (index + 1) * 2 ** level <= 600; index++) {
      if (toHex(read(level, index)) !== toHex(tree.read(level, index))) t.fail(`${level}/${index}`);
    }
  }
  t.same(tileOf(0, 599, 600), { level: 0, index: 2, width: 88 });
  t.same(tileOf(1, 1, 600), { level: 1, index: 0, width: 2 });
  const short = tileReader(engine, 600, (tile) => tree.readTile(tile).subarray(1));
  refuses(t, 'log-tile-invalid', () => short(0, 0));
  refuses(t, 'log-tile-invalid', () => tileHashes(new Uint8Array(64), 1));
});

t.test('bundles', async (t) => {
  const entries = [utf8('one'), new Uint8Array(0), new Uint8Array(65_535).fill(7)];
  const bytes = encodeBundle(entries);
  sameBytes(t, bytes.subarray(0, 7), Uint8Array.of(0, 3, 111, 110, 101, 0, 0));
  const parsed = parseBundle(bytes, 3);
  t.equal(parsed.length, 3);
  for (const [i, entry] of parsed.entries()) sameBytes(t, entry, entries[i]!);
  const [first, second] = tileHashes(tileOfEntries(engine, parsed), 3);
  sameBytes(t, first!, leafHash(engine, utf8('one')));
  sameBytes(t, second!, leafHash(engine, new Uint8Array(0)));
  refuses(t, 'log-tile-invalid', () => parseBundle(bytes, 2), 'entries that follow');
  refuses(t, 'log-tile-invalid', () => parseBundle(bytes, 4), 'too few entries');
  refuses(t, 'log-tile-invalid', () => parseBundle(bytes.subarray(0, 4), 1), 'an entry cut');
  refuses(t, 'log-tile-invalid', () => encodeBundle([]), 'none');
  refuses(t, 'log-tile-invalid', () => encodeBundle(Array(257).fill(utf8('x'))), 'too many');
  refuses(t, 'log-tile-invalid', () => encodeBundle([new Uint8Array(65_536)]), 'too long');
  t.equal(parseBundle(encodeBundle(Array(256).fill(utf8('x'))), 256).length, 256);
});
