/** What does not hold, each with its place, and what is to be known besides. */
import type { Verdict } from '../messages.ts';
import { byId, element, foreign, numberText } from './dom.ts';

/** Failures that are listed. */
const SHOWN = 100;

export function showFindings({ failures, failureCount, notices }: Verdict): void {
  const rows = failures.slice(0, SHOWN).map(({ code, file, index, detail }) => {
    const leaf = index === undefined ? '' : `, leaf ${numberText(index)}`;
    const place = element('strong', { class: 'mono' }, foreign(file) + leaf);
    return element('li', {}, place, element('br'), `${foreign(detail, 1000)} `, element('code', {}, `[${code}]`));
  });
  const more = failureCount - rows.length;
  if (more > 0) rows.push(element('li', {}, `and ${numberText(more)} more`));
  byId('failures').replaceChildren(...rows);
  byId('findings').hidden = failureCount === 0;
  byId('notices').replaceChildren(...notices.slice(0, SHOWN).map((notice) => element('li', {}, foreign(notice, 1000))));
  byId('notes').hidden = notices.length === 0;
}
