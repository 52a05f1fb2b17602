/** What stands below the zones in the picture of a plan: load, what is weak or refused, and the controls. */
import { BOARDS } from './boards.ts';
import { FAINT, label, wrapped } from './drawing.ts';
import type { JudgedPlan } from './model.ts';

/** A part of the picture whose height is known before it is placed. */
export interface Panel {
  readonly height: number;
  draw(x: number, y: number): string[];
}

const REFUSED = '#9a1b1b';
const SIZE = 12;
const STEP = 17;
const HEADING = 24;
const MIB = 2 ** 20;

interface Line {
  readonly text: string;
  readonly bold?: boolean;
  readonly fill?: string;
}

/** Load of each link and what the relay must hold. */
export function loadPanel(plan: JudgedPlan, width: number): Panel {
  const { links, linkMbit, slots, store, profile, board, blockMBs, log, absentMinutes } = plan;
  const away = slots.receiver === null ? '' : `, ${slots.receiver} away for ${absentMinutes} min`;
  const ram = Math.ceil((store.slots * profile.blockSize) / MIB);
  const carrying = links.filter(({ gibADay }) => gibADay > 0);
  const lines = carrying.flatMap(({ name, zones, toRelayMbit, fromRelayMbit, gibADay }): Line[] => [
    { text: `Link ${name} (${zones.join(', ')}), ${linkMbit} Mbit/s`, bold: true },
    { text: `${toRelayMbit.toFixed(2)} Mbit/s to the relay, ${fromRelayMbit.toFixed(2)} from it` },
    { text: `${gibADay.toFixed(1)} GiB a day` },
  ]);
  return panel('Load on the wire', width, [
    ...lines,
    { text: `Board ${board}: ${BOARDS[board].what}`, bold: true },
    { text: `${blockMBs.toFixed(2)} MB/s of blocks in and out, of ${BOARDS[board].blockMBs}` },
    { text: `${slots.needed} slots needed${away}` },
    { text: `${store.slots} slots configured, ${ram} MiB of RAM` },
    { text: `audit log: ${log.mibADay.toFixed(1)} MiB a day` },
  ]);
}

/** Whether the plan holds, and what is weak. */
export function verdictPanel({ excesses, weaknesses }: JudgedPlan, width: number): Panel {
  const refused = excesses.flatMap(({ fact, mend }): Line[] => [
    { text: fact, bold: true, fill: REFUSED },
    { text: mend, fill: REFUSED },
  ]);
  const title = excesses.length > 0 ? 'REFUSED' : 'The plan holds';
  const weak = weaknesses.length === 0 ? 'Nothing weakens it.' : 'Weaker than it could be:';
  return panel(title, width, [...refused, { text: weak, bold: true }, ...weaknesses.map((text) => ({ text }))]);
}

function panel(title: string, width: number, lines: readonly Line[]): Panel {
  const rows = lines.flatMap(({ text, ...style }) =>
    wrapped(text, width, SIZE, style.bold).map((words) => ({ words, style })),
  );
  return {
    height: HEADING + rows.length * STEP,
    draw: (x, y) => [
      label(x, y + 14, title, width, { size: 16, bold: true, ...(title === 'REFUSED' ? { fill: REFUSED } : {}) }),
      ...rows.map(({ words, style }, at) =>
        label(x, y + HEADING + 14 + at * STEP, words, width, { size: SIZE, ...style }),
      ),
    ],
  };
}

/** Each control with the requirements that it serves, in two columns. */
export function controlsPanel({ controls }: JudgedPlan, width: number): Panel {
  const column = width / 2;
  const rows = Math.ceil(controls.length / 2);
  const step = 2 * STEP;
  return {
    height: HEADING + 6 + rows * step,
    draw: (x, y) => [
      label(x, y + 14, 'Controls, and the requirements of IEC 62443-3-3 that they serve', width, {
        size: 16,
        bold: true,
      }),
      ...controls.flatMap(({ id, what, serves, weakness }, at) => {
        const left = x + Math.floor(at / rows) * column;
        const top = y + HEADING + 16 + (at % rows) * step;
        const weak = weakness === null ? '' : `; WEAK: ${weakness}`;
        return [
          label(left, top, `${id}: ${serves.join(', ')}`, column - 20, { size: SIZE, bold: true }),
          label(left, top + 14, `${what}${weak}`, column - 20, {
            size: 11,
            fill: weakness === null ? FAINT : REFUSED,
          }),
        ];
      }),
    ],
  };
}
