/**
 * Shapes of an SVG 1.1 picture: dark on white, printable, one font, no script, nothing that is fetched. Every text that
 * comes from outside is escaped here.
 */
import { escapeMarkup } from '../../lib/markup.ts';

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface TextStyle {
  readonly size?: number;
  readonly bold?: boolean;
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export const INK = '#1a1a1a';
export const FAINT = '#5c5c5c';

/** Width of a letter as part of the font size, a little more than most fonts take. */
const LETTER = 0.56;
const BOLD_LETTER = 0.64;

/** One line of text whose baseline is at `y`; what is longer than `width` ends in an ellipsis. */
export function label(x: number, y: number, text: string, width: number, style: TextStyle = {}): string {
  const { size = 13, bold = false, fill = INK, anchor = 'start' } = style;
  const most = Math.floor(width / (size * (bold ? BOLD_LETTER : LETTER)));
  const shown = text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${x}" y="${y}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"${weight}>${escapeMarkup(shown)}</text>`;
}

/** The words of `text` in lines that fit `width`. */
export function wrapped(text: string, width: number, size: number, bold = false): string[] {
  const most = Math.floor(width / (size * (bold ? BOLD_LETTER : LETTER)));
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export function rectangle({ x, y, width, height }: Box, fill: string, stroke: string, strokeWidth = 1.5): string {
  return `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="${stroke}" stroke-width="${strokeWidth}"/>`;
}

interface LineStyle {
  readonly stroke?: string;
  readonly width?: number;
  readonly dashed?: boolean;
  /** Whether it ends in a head. */
  readonly head?: boolean;
}

/** A straight line; its head, if it has one, is at the second point. */
export function line(x1: number, y1: number, x2: number, y2: number, style: LineStyle = {}): string {
  const { stroke = INK, width = 1.5, dashed = false, head = false } = style;
  const dash = dashed ? ' stroke-dasharray="6 4"' : '';
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const size = head ? 7 + width : 0;
  const [endX, endY] = [x2 - dx * size, y2 - dy * size];
  const shaft = `<line x1="${x1}" y1="${y1}" x2="${endX}" y2="${endY}" stroke="${stroke}" stroke-width="${width}"${dash}/>`;
  if (!head) return shaft;
  const half = size * 0.6;
  const corners = [
    [x2, y2],
    [endX - dy * half, endY + dx * half],
    [endX + dy * half, endY - dx * half],
  ];
  return `${shaft}<polygon points="${corners.map((corner) => corner.join(',')).join(' ')}" fill="${stroke}"/>`;
}

/** A cross: here nothing passes. */
export function cross(x: number, y: number, stroke: string): string {
  const arm = 7;
  const style = { stroke, width: 3 };
  return line(x - arm, y - arm, x + arm, y + arm, style) + line(x - arm, y + arm, x + arm, y - arm, style);
}

/** The whole file. */
export function picture(width: number, height: number, title: string, parts: readonly string[]): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="'DejaVu Sans', Verdana, Arial, sans-serif" role="img">`,
    `<title>${escapeMarkup(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
