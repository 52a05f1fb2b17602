/** What a relay may say to anybody: whole answers of HTTP, each a success of this API or a problem of the catalogue. */
import { PROBLEMS } from '../../../protocol/problem.ts';

const CONTINUE = 'HTTP/1.1 100 Continue';
const PROBLEM_TYPE = 'application/problem+json';

/** The answers in what a connection gave, each as status and problem code. */
export interface Answers {
  readonly said: readonly string[];
  /** Why it is not what a relay says; null when it is. */
  readonly fault: string | null;
}

/** Reads everything that one connection gave; the last answer may be cut where the connection was. */
export function readAnswers(bytes: Buffer): Answers {
  const said: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end === -1) return { said, fault: `an answer without end of head: ${start(bytes.subarray(at))}` };
    const head = bytes.toString('latin1', at, end);
    if (head === CONTINUE) {
      at = end + 4;
      continue;
    }
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1]);
    if (!Number.isSafeInteger(status)) return { said, fault: `no answer of HTTP: ${start(bytes.subarray(at))}` };
    if (!Number.isSafeInteger(length))
      return { said, fault: `an answer without content-length: ${head.slice(0, 200)}` };
    const rest = bytes.subarray(end + 4);
    const body = rest.subarray(0, startsAnswer(rest) ? 0 : length); // the answer to HEAD has a length and no body
    const outcome = read(status, head, body, length);
    if (outcome.fault) return { said, fault: `${outcome.fault}: ${head.slice(0, 200)}` };
    said.push(outcome.word);
    at = end + 4 + (body.length > 0 ? length : 0);
  }
  return { said, fault: null };
}

function read(status: number, head: string, body: Buffer, length: number): { word: string; fault: string | null } {
  if (status >= 200 && status < 300) return { word: String(status), fault: null };
  if (status === 503 && !head.includes(PROBLEM_TYPE)) return { word: 'not-ready', fault: null }; // the answer of /health
  if (!head.includes(PROBLEM_TYPE)) return { word: '', fault: `status ${status} is no problem` };
  if (body.length < length) return { word: `${status} cut`, fault: null };
  const { code, status: told } = JSON.parse(body.toString('utf8')) as { code: string; status: number };
  if (!Object.hasOwn(PROBLEMS, code) || told !== status)
    return { word: '', fault: `status ${status} with problem ${code}` };
  if (code === 'internal') return { word: '', fault: 'the relay says that it has a fault' };
  return { word: `${status} ${code}`, fault: null };
}

function startsAnswer(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 9) === 'HTTP/1.1 ';
}

function start(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 80));
}
