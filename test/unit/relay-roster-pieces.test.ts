/** The newest roster, piece by piece, in answers to what a device has and beside other items. */
import t from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { RosterPieces } from '../../relay/members/roster-pieces.ts';
import type { RosterStore } from '../../relay/members/roster-store.ts';

const PIECE = 24_576;

/** Pieces of a roster of three and a half; `at` moves the clock, what is given is written as `offset+length`. */
function makePieces() {
  const state = { version: 5, bytes: new Uint8Array(3.5 * PIECE), ms: 0 };
  const store = {
    get bytes() {
      return state.bytes;
    },
    get current() {
      return { version: state.version, profile: { intervalMs: 1000 } };
    },
  } as unknown as RosterStore;
  const pieces = new RosterPieces(store, () => state.ms);
  const text = (items: ControlItem[]) =>
    items
      .map((item) => (item.type === 'rosterPiece' ? `${item.offset / PIECE}+${item.bytes.length / PIECE}` : ''))
      .join();
  return {
    state,
    pieces,
    has: (version: number, partVersion = 0, partPieces = 0) =>
      text(pieces.answer('plc', { type: 'rosterHave', version, partVersion, partBytes: partPieces * PIECE })),
    beside: (ms: number, room = 32_768) => {
      state.ms = ms;
      return text(pieces.beside('plc', room));
    },
  };
}

t.test('each follows on the last, one in half an interval, as large as there is room', async (t) => {
  const { has, beside } = makePieces();
  t.equal(beside(0), '', 'nothing is known of the device');
  t.equal(has(4), '0+1');
  t.equal(beside(499), '', 'it just got one');
  t.equal(beside(500), '1+1');
  t.equal(beside(1500, 15 + PIECE / 2), '2+0.5');
  t.equal(beside(2500, 15 + 1023), '', 'too little room');
  t.equal(beside(2500), '2.5+1');
  t.equal(beside(3500), '', 'it got all');
});

t.test('what the device says counts: a piece that was lost comes again, and none when it has the roster', async (t) => {
  const { has, beside } = makePieces();
  t.equal(has(4), '0+1');
  t.equal(beside(1000), '1+1');
  t.equal(has(4, 5, 1), '1+1', 'it did not come');
  t.equal(has(4, 5, 9), '0+1', 'more than there is');
  t.equal(has(4, 3, 2), '0+1', 'of another one');
  t.equal(has(5), '');
  t.equal(beside(9000), '');
});

t.test('a newer roster begins anew; who left is forgotten', async (t) => {
  const { has, beside, state, pieces } = makePieces();
  t.equal(has(5), '');
  state.version = 6;
  t.equal(beside(1000), '0+1');
  state.version = 7;
  t.equal(beside(2000), '0+1');
  pieces.enforce((did) => did !== 'plc');
  t.equal(beside(3000), '');
});
