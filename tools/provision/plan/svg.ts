/**
 * The plan as one picture: OT on the left, IT on the right, the relay between with what crosses it, management below it,
 * then load, limits and controls. Who prints it in black and white still sees what is open and what is closed.
 */
import type { ListenerConfig } from '../../../protocol/config.ts';
import type { Zone } from '../../../protocol/shapes.ts';
import type { Conduit } from './conduits.ts';
import { type Box, cross, FAINT, INK, label, line, picture, rectangle, wrapped } from './drawing.ts';
import { type DeviceLanes, sum } from './lanes.ts';
import type { LinkLoad } from './load.ts';
import type { JudgedPlan } from './model.ts';
import { controlsPanel, loadPanel, type Panel, verdictPanel } from './svg-panels.ts';
import { linkNameOf, type ZonePart, zonePart } from './zones.ts';

const WIDTH = 1240;
const MARGIN = 20;
const TOP = 92;
const SIDE_WIDTH = 320;
const RELAY_X = 450;
const RELAY_WIDTH = 340;
const IT_X = WIDTH - MARGIN - SIDE_WIDTH;
const GAP = 60;
/** Cards of devices in a zone; one more line says how many follow. */
const MOST_CARDS = 6;
const CARD_STEP = 46;
const LANE_STEP = 52;

const ZONE_FILL: Readonly<Record<Zone, string>> = { ot: '#eaf3ea', it: '#e8f0fa', management: '#f6f0e2' };
const ZONE_STROKE: Readonly<Record<Zone, string>> = { ot: '#2f6b2f', it: '#27568f', management: '#7a5c12' };
const TITLES: Readonly<Record<Zone, string>> = { ot: 'OT zone', it: 'IT zone', management: 'Management zone' };
const CLOSED = '#9a1b1b';

/** The plan as the text of an SVG file. */
export function planSvg(plan: JudgedPlan): string {
  const { siteName, version, profile } = plan;
  const [ot, it, management] = (['ot', 'it', 'management'] as const).map((zone) => zonePart(plan.zones, zone));
  const relay = relayPanel(plan);
  const height = Math.max(relay.height, zoneHeight(ot!), zoneHeight(it!));
  const belowY = TOP + height + GAP;
  const managementBox = { x: RELAY_X, y: belowY, width: RELAY_WIDTH, height: zoneHeight(management!) };
  const load = loadPanel(plan, RELAY_X - GAP / 2 - MARGIN);
  const verdict = verdictPanel(plan, WIDTH - MARGIN - RELAY_X - RELAY_WIDTH - GAP / 2);
  const controlsY = belowY + Math.max(managementBox.height, load.height, verdict.height) + 30;
  const controls = controlsPanel(plan, WIDTH - 2 * MARGIN);
  const what = `one block of ${profile.blockSize} bytes a lane every ${profile.intervalMs / 1000} s`;
  return picture(WIDTH, controlsY + controls.height + MARGIN, `Zones and conduits of site ${siteName}`, [
    label(MARGIN, 42, `Zones and conduits of site ${siteName}`, 900, { size: 24, bold: true }),
    label(
      MARGIN,
      68,
      `roster version ${version}; ${what}; lines show where data goes, devices connect to the relay`,
      1200,
      {
        fill: FAINT,
      },
    ),
    ...zoneDrawing(plan, ot!, { x: MARGIN, y: TOP, width: SIDE_WIDTH, height }),
    ...zoneDrawing(plan, it!, { x: IT_X, y: TOP, width: SIDE_WIDTH, height }),
    rectangle({ x: RELAY_X, y: TOP, width: RELAY_WIDTH, height }, '#ffffff', INK, 2.5),
    ...relay.draw(RELAY_X, TOP),
    ...zoneDrawing(plan, management!, managementBox),
    line(RELAY_X + RELAY_WIDTH / 2, belowY, RELAY_X + RELAY_WIDTH / 2, TOP + height, { width: 2, head: true }),
    label(RELAY_X + RELAY_WIDTH / 2 + 12, belowY - GAP / 2 + 5, 'operator, monitoring', 160, { size: 12 }),
    ...load.draw(MARGIN, belowY),
    ...verdict.draw(RELAY_X + RELAY_WIDTH + GAP / 2, belowY),
    ...controls.draw(MARGIN, controlsY),
  ]);
}

function zoneHeight({ devices }: ZonePart): number {
  const cards = Math.min(devices.length, MOST_CARDS);
  return 74 + Math.max(1, cards) * CARD_STEP + (devices.length > MOST_CARDS ? 24 : 0);
}

function zoneDrawing(plan: JudgedPlan, part: ZonePart, box: Box): string[] {
  const { zone, devices } = part;
  const inner = box.width - 24;
  const shown = devices.slice(0, MOST_CARDS);
  const link = plan.links.find(({ name }) => name === linkNameOf(part));
  const more = devices.length - shown.length;
  return [
    rectangle(box, ZONE_FILL[zone], ZONE_STROKE[zone], 2),
    label(box.x + 12, box.y + 28, TITLES[zone], inner, { size: 18, bold: true }),
    label(box.x + 12, box.y + 50, linkWords(part, link), inner, { size: 12 }),
    ...shown.flatMap((device, at) => card(plan, device, box.x + 12, box.y + 66 + at * CARD_STEP, inner)),
    ...(devices.length === 0 ? [label(box.x + 12, box.y + 90, 'no devices', inner, { fill: FAINT })] : []),
    ...(more > 0
      ? [label(box.x + 12, box.y + 82 + MOST_CARDS * CARD_STEP, `and ${more} more devices`, inner, { bold: true })]
      : []),
  ];
}

function linkWords(part: ZonePart, link: LinkLoad | undefined): string {
  if (!link) return 'no listener of the relay';
  const name = part.interface === null ? `relay at ${link.name}` : `relay's interface ${part.interface}`;
  return link.zones.length > 1 ? `${name}, shared link` : name;
}

function card(plan: JudgedPlan, { device, up, down }: DeviceLanes, x: number, y: number, width: number): string[] {
  const to = plan.flows.find(({ from }) => from === device.name)?.to ?? [];
  const words = [
    device.roles.join(', '),
    ...(up > 0 ? [`${up} up`] : []),
    ...(down > 0 ? [`${down} down`] : []),
    ...(to.length > 0 ? [`to ${to.join(', ')}`] : []),
  ].join('; ');
  return [
    rectangle({ x, y, width, height: CARD_STEP - 8 }, '#ffffff', ZONE_STROKE[device.zone], 1),
    label(x + 10, y + 16, device.name, width - 20, { bold: true }),
    label(x + 10, y + 31, words, width - 20, { size: 11, fill: FAINT }),
  ];
}

/** What crosses the relay, then what listens. */
function relayPanel(plan: JudgedPlan): Panel {
  const conduits = plan.conduits.filter(({ from, to }) => from !== 'management' && to !== 'management');
  const listeners = plan.zones.flatMap(({ listeners }) => listeners);
  const listenersY = 74 + (conduits.length + 1) * LANE_STEP;
  const height = listenersY + 26 + sum(listeners.map(rowHeight));
  return {
    height,
    draw(x, y) {
      return [
        label(x + RELAY_WIDTH / 2, y + 28, 'Relay', RELAY_WIDTH, { size: 18, bold: true, anchor: 'middle' }),
        label(x + RELAY_WIDTH / 2, y + 48, 'in memory only, cannot decrypt, forwards nothing', RELAY_WIDTH, {
          size: 12,
          anchor: 'middle',
        }),
        ...conduits.flatMap((conduit, index) => conduitDrawing(plan, conduit, y + 92 + index * LANE_STEP)),
        ...receiptsAndKeys(y + 92 + conduits.length * LANE_STEP),
        line(x + 12, y + listenersY, x + RELAY_WIDTH - 12, y + listenersY, { stroke: FAINT, width: 1 }),
        ...listenerRows(listeners, x, y + listenersY + 22),
      ];
    },
  };
}

/** Its address and calls in lines that fit the relay's box. */
function callLines({ address, calls }: ListenerConfig): string[] {
  return wrapped(`${address}: ${calls.join(' ')}`, RELAY_WIDTH - 40, 10);
}

function rowHeight(listener: ListenerConfig): number {
  return 24 + callLines(listener).length * 13;
}

function listenerRows(listeners: readonly ListenerConfig[], x: number, top: number): string[] {
  return listeners.flatMap((listener, index) => {
    const { zone, port, tls } = listener;
    const y = top + sum(listeners.slice(0, index).map(rowHeight));
    const words = `${zone}: port ${port}, tls ${tls}`;
    return [
      rectangle({ x: x + 12, y: y - 10, width: 10, height: 10 }, ZONE_STROKE[zone], ZONE_STROKE[zone], 1),
      label(x + 28, y, words, RELAY_WIDTH - 40, { size: 12, bold: true }),
      ...callLines(listener).map((calls, at) =>
        label(x + 28, y + 13 * (at + 1), calls, RELAY_WIDTH - 40, { size: 10, fill: FAINT }),
      ),
    ];
  });
}

/** Ends of an arrow from OT to the relay and on to IT, or the other way. */
function legs(from: Zone): readonly [number, number, number, number] {
  const [left, right] = [MARGIN + SIDE_WIDTH, RELAY_X + RELAY_WIDTH];
  return from === 'ot' ? [left, RELAY_X, right, IT_X] : [IT_X, right, RELAY_X, left];
}

function conduitDrawing(plan: JudgedPlan, { name, from, to, isOpen }: Conduit, y: number): string[] {
  const [start, relayIn, relayOut, end] = legs(from);
  const middle = RELAY_X + RELAY_WIDTH / 2;
  const words = label(middle, y - 4, `${name}: ${from} to ${to}`, RELAY_WIDTH - 30, { bold: true, anchor: 'middle' });
  if (!isOpen) {
    return [
      line(start, y, relayIn, y, { stroke: CLOSED, dashed: true }),
      line(relayOut, y, end, y, { stroke: CLOSED, dashed: true }),
      cross((start + relayIn) / 2, y, CLOSED),
      cross((relayOut + end) / 2, y, CLOSED),
      words,
      label(middle, y + 13, 'closed', RELAY_WIDTH - 30, { size: 12, fill: CLOSED, anchor: 'middle' }),
    ];
  }
  return [
    line(start, y, relayIn, y, { width: 4, head: true }),
    line(relayOut, y, end, y, { width: 4, head: true }),
    ...(from === 'ot' ? loads(plan, y) : []),
    words,
    label(middle, y + 13, 'open: sealed blocks', RELAY_WIDTH - 30, { size: 12, anchor: 'middle' }),
  ];
}

function loads({ links, zones }: JudgedPlan, y: number): string[] {
  const of = (zone: Zone) => links.find(({ name }) => name === linkNameOf(zonePart(zones, zone)));
  const small = { size: 11, anchor: 'middle' } as const;
  const [left, right] = [(MARGIN + SIDE_WIDTH + RELAY_X) / 2, (RELAY_X + RELAY_WIDTH + IT_X) / 2];
  const words = (mbit: number) => [`${mbit.toFixed(1)}`, 'Mbit/s'];
  return [
    ...words(of('ot')?.toRelayMbit ?? 0).map((text, at) => label(left, y - 20 + at * 12, text, 100, small)),
    ...words(of('it')?.fromRelayMbit ?? 0).map((text, at) => label(right, y - 20 + at * 12, text, 100, small)),
  ];
}

/** What goes from IT to OT by default. */
function receiptsAndKeys(y: number): string[] {
  const [start, relayIn, relayOut, end] = legs('it');
  const middle = RELAY_X + RELAY_WIDTH / 2;
  return [
    line(start, y, relayIn, y, { dashed: true, head: true }),
    line(relayOut, y, end, y, { dashed: true, head: true }),
    label(middle, y - 4, 'receipts, keys: it to ot', RELAY_WIDTH - 30, { bold: true, anchor: 'middle' }),
    label(middle, y + 13, 'signed, in answers of fixed size', RELAY_WIDTH - 30, { size: 12, anchor: 'middle' }),
  ];
}
