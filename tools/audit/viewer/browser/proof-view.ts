/** The proof of a record as a drawing: the root on top, the leaf at the bottom, beside each step the hash that it needs. */
import type { RecordDetail } from '../messages.ts';
import { drawn, numberText, timeText } from './dom.ts';

const [WIDTH, MIDDLE, ROW, BOX, TALL] = [1000, 500, 64, 300, 34];

/** Draws the steps of the proof of leaf `index`. */
export function drawProof(index: number, proof: NonNullable<RecordDetail['proof']>, holds: boolean): SVGSVGElement {
  const { leaf, steps, size, root, seconds } = proof;
  const height = steps.length * ROW + 70;
  const level = (i: number): number => height - 40 - i * ROW;
  const parts: SVGElement[] = [];
  for (const [i, { sibling, isLeft, from, below }] of steps.entries()) {
    const [y, up] = [level(i), level(i + 1) + TALL];
    const x = isLeft ? MIDDLE - BOX / 2 - 190 : MIDDLE + BOX / 2 + 190;
    parts.push(drawn('path', { class: 'way', d: `M${MIDDLE} ${y} V${up}` }));
    parts.push(drawn('path', { class: 'line', d: `M${x} ${y} L${MIDDLE} ${up}` }));
    const leaves =
      below - from === 1 ? `leaf ${numberText(from)}` : `leaves ${numberText(from)} to ${numberText(below - 1)}`;
    parts.push(...box(x, y, 'box', sibling, leaves));
  }
  const result = holds ? 'node good' : 'node bad';
  for (let i = 0; i <= steps.length; i++) {
    const hash = i === 0 ? leaf : steps[i - 1]!.node;
    const what = i === 0 ? `this record, leaf ${numberText(index)}` : '';
    parts.push(...box(MIDDLE, level(i), i === steps.length ? result : 'node', hash, what));
  }
  const signed = `signed root of ${numberText(size)} leaves, ${timeText(seconds * 1000)}: ${root}`;
  parts.push(drawn('text', { x: MIDDLE, y: level(steps.length) - 8, 'text-anchor': 'middle' }, signed));
  const label = `${steps.length} steps from leaf ${index} to the root ${root}`;
  return drawn('svg', { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': label }, ...parts);
}

function box(x: number, y: number, kind: string, hash: string, below: string): SVGElement[] {
  const wide = kind === 'box' ? 240 : BOX;
  return [
    drawn('rect', { class: kind, x: x - wide / 2, y, width: wide, height: TALL, rx: 4 }, drawn('title', {}, hash)),
    drawn(
      'text',
      { class: 'hash', x, y: y + (below === '' ? 21 : 14), 'text-anchor': 'middle' },
      `${hash.slice(0, 24)}\u2026`,
    ),
    drawn('text', { class: 'soft', x, y: y + 28, 'text-anchor': 'middle' }, below),
  ];
}
