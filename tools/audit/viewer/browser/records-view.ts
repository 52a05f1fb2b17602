/** The list of records: a search, rows that can be walked by keys, and older ones on demand. */
import { CATEGORIES, type Category } from '../../../../protocol/log-action.ts';
import type { EpochRow, Position, RecordQuery, RecordRow } from '../messages.ts';
import { byId, element, foreign, numberText, timeText } from './dom.ts';

export interface RecordsListener {
  readonly onQuery: (query: RecordQuery) => void;
  readonly onOpen: (position: Position) => void;
  readonly onClose: () => void;
}

export class RecordsView {
  readonly #listener: RecordsListener;
  #after: Position | null = null;
  #isMore = false;
  #epochs: readonly EpochRow[] = [];
  /** The row that was opened, to come back to. */
  #opened: HTMLElement | null = null;

  constructor(listener: RecordsListener) {
    this.#listener = listener;
    byId('category').append(...CATEGORIES.map((name) => element('option', { value: name }, name)));
    byId('query').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#ask(null);
    });
    byId('query').addEventListener('reset', () => setTimeout(() => this.#ask(null)));
    byId('more').addEventListener('click', () => this.#ask(this.#after));
    byId('close').addEventListener('click', () => this.#close());
    addEventListener('keydown', (event) => this.#key(event));
  }

  /** Lists the newest records of a log. */
  open(epochs: readonly EpochRow[]): void {
    this.#epochs = epochs;
    this.#ask(null);
  }

  /** Lists what happened within a step of time in one category. */
  narrow(fromMs: number, toMs: number, category: Category): void {
    byId<HTMLInputElement>('from').valueAsNumber = Math.floor(fromMs / 1000) * 1000;
    byId<HTMLInputElement>('until').valueAsNumber = Math.ceil(toMs / 1000) * 1000;
    byId<HTMLSelectElement>('category').value = category;
    this.#ask(null);
    byId('records').scrollIntoView();
  }

  show(rows: readonly RecordRow[], after: Position | null): void {
    const made = rows.map((row) => this.#row(row));
    if (this.#isMore) byId('rows').append(...made);
    else byId('rows').replaceChildren(...made);
    this.#after = after;
    byId('more').hidden = after === null;
    const shown = byId('rows').childElementCount;
    const tail = after === null ? 'no more' : 'there are older ones';
    byId('count').textContent = shown === 0 ? 'No record here is like that.' : `${numberText(shown)} records, ${tail}.`;
    if (this.#isMore) made[0]?.querySelector('button')?.focus();
  }

  #ask(after: Position | null): void {
    this.#isMore = after !== null;
    const [from, until] = ['from', 'until'].map((id) => byId<HTMLInputElement>(id).valueAsNumber) as [number, number];
    this.#listener.onQuery({
      text: byId<HTMLInputElement>('text').value.trim(),
      category: byId<HTMLSelectElement>('category').value as Category | '',
      onlyBroken: byId<HTMLInputElement>('broken').checked,
      fromMs: Number.isNaN(from) ? -Infinity : from,
      toMs: Number.isNaN(until) ? Infinity : until,
      after,
    });
  }

  #row({ epoch, index, holds, summary, text }: RecordRow): HTMLElement {
    const id = this.#epochs[epoch]?.id.slice(0, 6) ?? '';
    const name = this.#epochs.length > 1 ? `${id} ${index}` : `${index}`;
    const button = element('button', { 'aria-label': `open leaf ${name}` }, name);
    button.addEventListener('click', () => {
      this.#opened = button;
      this.#listener.onOpen({ epoch, index });
    });
    const state = element('td', { class: holds ? 'good' : 'bad' }, holds ? '\u2713 verified' : '\u2717 does not hold');
    const first = [element('td', {}, button), state];
    if (!summary)
      return element('tr', {}, ...first, element('td', { colspan: 6, class: 'mono long' }, foreign(text, 240)));
    const [action, result, who, what] = summary.words.map((word) => foreign(word, 240)) as [
      string,
      string,
      string,
      string,
    ];
    return element(
      'tr',
      {},
      ...first,
      element('td', {}, timeText(summary.t)),
      element('td', {}, summary.cat),
      element('td', {}, action),
      element('td', {}, result),
      element('td', { class: 'mono', title: who }, middleCut(who)),
      element('td', { class: 'mono long' }, what),
    );
  }

  #key(event: KeyboardEvent): void {
    const { key, target } = event;
    const isTyping = target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
    if (key === 'Escape') this.#close();
    else if (key === '/' && !isTyping) {
      event.preventDefault();
      byId('text').focus();
    } else if (key === 'ArrowDown' || key === 'ArrowUp') {
      if (isTyping && !(target instanceof HTMLInputElement && target.id === 'text' && key === 'ArrowDown')) return;
      const buttons = [...byId('rows').querySelectorAll('button')];
      const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
      if (at < 0 && !isTyping) return;
      event.preventDefault();
      buttons[at + (key === 'ArrowDown' ? 1 : -1)]?.focus();
    }
  }

  #close(): void {
    this.#listener.onClose();
    this.#opened?.focus();
    this.#opened = null;
  }
}

/** Long names by their beginning and their end; an opened record shows all of them. */
function middleCut(name: string): string {
  return name.length <= 32 ? name : `${name.slice(0, 21)}\u2026${name.slice(-8)}`;
}
