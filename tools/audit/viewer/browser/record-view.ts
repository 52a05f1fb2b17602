/** One record: whether it holds, its fields, its bytes, and the way to the root. */
import type { RecordDetail } from '../messages.ts';
import { byId, element, foreign, numberText, timeText } from './dom.ts';
import { drawProof } from './proof-view.ts';

/** Characters of a value, and of the whole record, before they are cut. */
const [VALUE, RECORD] = [160, 1200];

export class RecordView {
  show(detail: RecordDetail): void {
    const { origin, index, text, problem, proof } = detail;
    byId('record-title').textContent = `Leaf ${numberText(index)} of ${foreign(origin)}`;
    byId('record').dataset.state = problem === null ? 'good' : 'bad';
    byId('record-body').replaceChildren(
      element('p', { class: problem === null ? 'good' : 'bad' }, stateText(detail)),
      element('dl', {}, ...fieldsOf(text).flatMap(([name, value]) => fieldRow(name, value))),
      element('h3', {}, 'The leaf, byte for byte'),
      element('pre', {}, ...cut(text, RECORD)),
      ...(proof
        ? [element('h3', {}, 'Its way to the signed root'), drawProof(detail.index, proof, problem === null)]
        : []),
    );
    byId('record').hidden = false;
    byId('record').focus();
    byId('record').scrollIntoView();
  }

  close(): void {
    byId('record').hidden = true;
  }
}

function stateText({ problem, proof }: RecordDetail): string {
  if (problem !== null) return `\u2717 Does not hold: ${foreign(problem)}`;
  return `\u2713 Verified: it is under the head of ${numberText(proof!.size)} leaves, signed ${timeText(proof!.seconds * 1000)} (UTC).`;
}

/** The fields of the record by their paths; none when it is not JSON. */
function fieldsOf(text: string): [string, string][] {
  try {
    return flat('', JSON.parse(text));
  } catch {
    return [];
  }
}

function flat(path: string, value: unknown): [string, string][] {
  if (typeof value !== 'object' || value === null) {
    return [[path, path === 't' && typeof value === 'number' ? `${value} (${timeText(value, true)})` : String(value)]];
  }
  return Object.entries(value).flatMap(([name, part]) => flat(path === '' ? name : `${path}.${name}`, part));
}

function fieldRow(name: string, value: string): Node[] {
  return [element('dt', {}, foreign(name, 80)), element('dd', { class: 'mono' }, ...cut(value, VALUE))];
}

/** The text, and when it is long its beginning and a way to see the rest. */
function cut(text: string, most: number): (Node | string)[] {
  if (text.length <= most) return [foreign(text, Infinity)];
  const beginning = document.createTextNode(`${foreign(text.slice(0, most), Infinity)} `);
  const button = element('button', {}, `show all ${numberText(text.length)} characters`);
  button.addEventListener('click', () => {
    beginning.data = foreign(text, Infinity);
    button.remove();
  });
  return [beginning, button];
}
