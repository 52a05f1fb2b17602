/** The epochs, each below the one that it follows, with their tree heads. */
import type { EpochRow, HeadRow, Verdict } from '../messages.ts';
import { byId, element, foreign, numberText, timeText } from './dom.ts';

export function showChain({ epochs, isFolder, failures }: Verdict): void {
  const rows = epochs.map((epoch, i) => {
    const isBroken = failures.some(({ file }) =>
      epoch.at === '' ? !/^(earlier|epochs)\//.test(file) : file.startsWith(`${epoch.at}/`),
    );
    const isWhole = isFolder && epoch.held === epoch.leaves;
    const state = isBroken ? 'bad' : isWhole ? 'good' : 'partial';
    return epochItem(epoch, epochs[i - 1], state, i === epochs.length - 1);
  });
  byId('chain').replaceChildren(...rows);
}

function epochItem(epoch: EpochRow, above: EpochRow | undefined, state: string, isNewest: boolean): HTMLElement {
  const { origin, leaves, held, openedMs, software, boot, heads, headCount } = epoch;
  const [newest] = heads;
  const signed = newest
    ? `${numberText(newest.size)} leaves, signed ${timeText(newest.seconds * 1000)}`
    : 'none that holds';
  const facts: [string, string][] = [
    ['follows', before(epoch, above)],
    ['opened', `${timeText(openedMs)} (UTC), start: ${boot}, software: ${software}`],
    ['log records', `${numberText(held)} of ${numberText(leaves)} verified`],
    ['newest head', signed],
  ];
  const list = element(
    'dl',
    {},
    ...facts.flatMap(([name, fact]) => [element('dt', {}, name), element('dd', {}, foreign(fact))]),
  );
  const details = element(
    'details',
    { open: isNewest },
    element('summary', {}, `${numberText(headCount)} tree heads whose signatures hold`),
    headTable(heads, headCount),
  );
  return element('li', { 'data-state': state }, element('h3', { class: 'mono' }, foreign(origin)), list, details);
}

function before({ before }: EpochRow, above: EpochRow | undefined): string {
  if (!before) return 'nothing that it knew of';
  const end = `with ${numberText(before.tailSize)} leaves (read from ${before.source})`;
  if (before.origin === above?.origin) return `the epoch above, which ended ${end}`;
  return `${before.origin}, which ended ${end} and does not stand above`;
}

function headTable(heads: readonly HeadRow[], count: number): HTMLElement {
  const rows = heads.map(({ seconds, size, root }) =>
    element(
      'tr',
      {},
      element('td', {}, timeText(seconds * 1000)),
      element('td', {}, numberText(size)),
      element('td', { class: 'mono long' }, root),
    ),
  );
  const titles = ['Signed (UTC)', 'Leaves', 'Root'].map((title) => element('th', { scope: 'col' }, title));
  const more = count > heads.length ? [element('p', {}, `and ${numberText(count - heads.length)} older ones`)] : [];
  const table = element('table', {}, element('thead', {}, element('tr', {}, ...titles)), element('tbody', {}, ...rows));
  return element('div', { class: 'heads', tabindex: 0 }, table, ...more);
}
