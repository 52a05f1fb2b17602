/** Records over time: a row for each category. */
import { CATEGORIES, type Category } from '../../../../protocol/log-action.ts';
import type { Timeline } from '../record-index.ts';
import { byId, drawn, element, numberText, timeText } from './dom.ts';

const [WIDTH, LEFT, RIGHT, ROW, BAR] = [1000, 90, 90, 38, 28];

/** Draws the timeline; `onChoose` hears of the bar that was chosen. */
export function showTimeline(
  timeline: Timeline | null,
  onChoose: (fromMs: number, toMs: number, category: Category) => void,
): void {
  if (!timeline) {
    byId('timeline').replaceChildren(element('p', {}, 'No record was verified.'));
    return;
  }
  const { fromMs, stepMs, counts } = timeline;
  const used = CATEGORIES.filter((category) => counts[category].some((count) => count > 0));
  const steps = counts[CATEGORIES[0]].length;
  const width = (WIDTH - LEFT - RIGHT) / steps;
  const height = used.length * ROW + 26;
  const rows = used.flatMap((category, row) => {
    const bottom = (row + 1) * ROW;
    const most = Math.max(...counts[category]);
    const total = counts[category].reduce((sum, count) => sum + count, 0);
    const bars = [...counts[category].entries()]
      .filter(([, count]) => count > 0)
      .map(([step, count]) => {
        const [from, to] = [fromMs + step * stepMs, fromMs + (step + 1) * stepMs];
        const tall = Math.max(2, (count / most) * BAR);
        const at = { x: LEFT + step * width, y: bottom - tall, width: Math.max(2, width - 1), height: tall };
        const title = `${numberText(count)} ${category}, ${timeText(from)} to ${timeText(to)}`;
        const bar = drawn('rect', { class: 'bar', ...at }, drawn('title', {}, title));
        bar.addEventListener('click', () => onChoose(from, to, category));
        return bar;
      });
    return [
      drawn('text', { x: 0, y: bottom - 8 }, category),
      drawn('line', { class: 'line', x1: LEFT, x2: WIDTH - RIGHT, y1: bottom, y2: bottom }),
      ...bars,
      drawn('text', { x: WIDTH - RIGHT + 10, y: bottom - 8 }, numberText(total)),
    ];
  });
  const ends = [
    drawn('text', { class: 'soft', x: LEFT, y: height - 6 }, timeText(fromMs)),
    drawn(
      'text',
      { class: 'soft', x: WIDTH - RIGHT, y: height - 6, 'text-anchor': 'end' },
      timeText(fromMs + steps * stepMs),
    ),
  ];
  const label = `${used.length} categories from ${timeText(fromMs)} on`;
  byId('timeline').replaceChildren(
    drawn('svg', { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': label }, ...rows, ...ends),
  );
}
