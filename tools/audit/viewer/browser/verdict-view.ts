/** The two boxes on top: what was verified, and under which key. */
import { PIN_PATTERN } from '../../../../protocol/text.ts';
import type { Verdict } from '../messages.ts';
import { byId, foreign, numberText } from './dom.ts';

type State = 'working' | 'partial' | 'good' | 'bad';

const MARKS: Readonly<Record<State, string>> = { working: '\u2026', partial: '\u25d0', good: '\u2713', bad: '\u2717' };

export class VerdictView {
  #pin = '';
  /** What the files say, whoever signed them; null before there was a verdict. */
  #found: readonly [State, string, string] | null = null;

  constructor() {
    byId('compare').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#compare();
    });
  }

  show({ isFolder, pin, failureCount, epochs }: Verdict): void {
    this.#pin = pin;
    const held = epochs.reduce((sum, epoch) => sum + epoch.held, 0);
    const all = epochs.reduce((sum, epoch) => sum + epoch.leaves, 0);
    const count = `${numberText(held)} of ${numberText(all)} log records`;
    const newest = epochs.at(-1)?.origin.split('/')[0];
    byId('title').textContent = newest ? `Audit log of ${foreign(newest)}` : 'Audit log';
    byId('claimed').textContent = pin === '' ? 'none: no epoch statement can be read' : pin;
    byId('progress').hidden = true;
    this.#found = judged(isFolder, failureCount, count, held === all && all > 0);
    byId('verdict-key').replaceChildren(pin === '' ? '' : `Under the key ${pin}`);
    this.#compare();
  }

  /** Something goes on; `all` is 0 when nobody knows how much it is. */
  progress(what: string, done: number, all: number): void {
    const bar = byId<HTMLProgressElement>('progress');
    bar.hidden = false;
    if (all > 0) [bar.max, bar.value] = [all, done];
    else bar.removeAttribute('value');
    this.#found = null;
    this.#say('working', `Working: ${what}`, all > 0 ? `${numberText(done)} of ${numberText(all)}` : '');
  }

  /** There is nothing to verify. */
  refuse(detail: string): void {
    byId('progress').hidden = true;
    this.#found = null;
    this.#say('bad', 'Not verified', foreign(detail));
  }

  #say(state: State, line: string, detail: string): void {
    byId('verdict').dataset.state = state;
    byId('verdict-mark').textContent = MARKS[state];
    byId('verdict-line').textContent = line;
    byId('verdict-detail').textContent = detail;
  }

  #compare(): void {
    const given = byId<HTMLInputElement>('pin').value.trim();
    const [state, line] = compared(given, this.#pin);
    byId('key').dataset.state = state;
    byId('compared').textContent = line;
    if (!this.#found) return;
    // What another key signed is no log of this relay, however well it hangs together.
    if (state === 'bad') this.#say('bad', 'Not verified: signed by another key than yours', this.#found[1]);
    else this.#say(...this.#found);
  }
}

function judged(isFolder: boolean, failures: number, count: string, isAll: boolean): [State, string, string] {
  if (failures > 0) {
    const where = isFolder ? 'this folder' : 'the copy in this page';
    return [
      'bad',
      `Not verified: ${numberText(failures)} failures in ${where}`,
      `${count} hold. What does not is listed below.`,
    ];
  }
  if (!isFolder) {
    const rest = 'That is the copy which this page carries. The files of the export were not read: choose its folder.';
    return ['partial', `Verified ${count}`, rest];
  }
  if (!isAll)
    return [
      'partial',
      `Verified ${count}`,
      'The rest is sealed, or not in this folder, and the log says why: see below.',
    ];
  return [
    'good',
    `Verified ${count}`,
    'All of them, every tree head, every tile and the chain of epochs, from the files of the folder.',
  ];
}

function compared(given: string, pin: string): [State, string] {
  if (given === '') return ['partial', 'Not compared yet.'];
  if (!PIN_PATTERN.test(given)) return ['partial', 'That is no pin: it is sha256/ and 43 characters.'];
  if (given !== pin)
    return ['bad', 'DIFFERENT. This export was signed by another key than the one that you were told of.'];
  return ['good', 'Equal to the pin that you entered. Who holds that key, this page cannot know.'];
}
