/**
 * Makes elements. Whatever a log says becomes a text node, never markup, and what a reader could not see or would read in
 * another order than it stands there (control characters, direction marks) is shown as an escape.
 */
import { printable } from '../../../lib/printable.ts';

type Child = Node | string;
type Attributes = Readonly<Record<string, string | number | boolean>>;

/** An element of the page; an attribute that is `false` is left out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return filled(document.createElement(name), attributes, children);
}

/** An element of a drawing. */
export function drawn<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

/** The element of the page with that id. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** A time in UTC as `2026-05-01 08:30:00`, with milliseconds on demand; a number that is no time as it is. */
export function timeText(ms: number, withMs = false): string {
  if (!(ms >= 0 && ms <= 8.64e15)) return `${ms} ms`;
  return new Date(ms)
    .toISOString()
    .slice(0, withMs ? 23 : 19)
    .replace('T', ' ');
}

/** A number with groups of digits. */
export function numberText(value: number): string {
  return value.toLocaleString('en');
}

/** Foreign text, escaped and cut. */
export function foreign(text: string, most = 400): string {
  return printable(text, most);
}

function filled<E extends Element>(made: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}
