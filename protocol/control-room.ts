/** The room of a control frame: what fits into one, and how much is left beside what it must carry. */
import { CONTROL_BYTES, type ControlItem, itemBytes } from './control.ts';

const MAGIC_BYTES = 4;

/** Bytes that a frame has left beside `items`; less than none when they do not fit. */
export function roomBeside(items: readonly ControlItem[]): number {
  return items.reduce((room, item) => room - itemBytes(item), CONTROL_BYTES - MAGIC_BYTES);
}

/** The longest prefix of `items` that fits one frame, and what is left for the next. */
export function fillControl(items: readonly ControlItem[]): { fits: ControlItem[]; left: ControlItem[] } {
  let room = roomBeside([]);
  const count = items.findIndex((item) => {
    room -= itemBytes(item);
    return room < 0;
  });
  return count === -1 ? { fits: [...items], left: [] } : { fits: items.slice(0, count), left: items.slice(count) };
}
