/** What a relay's answers mean: JSON, refusals, connections that broke. */
import { type Json, parseJson } from '../../protocol/canonical.ts';
import { PROBLEMS, Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { PinnedPeer } from './pinned-tls.ts';
import { printable } from './printable.ts';

/** Most bytes of an answer in JSON, unless a call says otherwise. */
export const JSON_LIMIT = 65_536;

/** The JSON of an answer; refuses `relay-answer-invalid`. */
export function parseAnswer(bytes: Uint8Array, limit = JSON_LIMIT): Json {
  try {
    return parseJson(bytes, limit);
  } catch {
    throw new Problem('relay-answer-invalid', `${bytes.length} bytes of the answer are not JSON`);
  }
}

/** The relay's refusal. Its code counts only when it is one of ours; its words are printed only when harmless. */
export function refusal(status: number, body: Uint8Array): Problem {
  if (status >= 300 && status < 400) {
    return new Problem('redirect-refused', `the relay answered with status ${status}`);
  }
  const { code, detail } = problemFields(body);
  if (code === undefined) return new Problem('relay-answer-invalid', `status ${status} without a problem code`);
  return new Problem(code, detail);
}

function problemFields(body: Uint8Array): { code?: ProblemCode; detail: string } {
  try {
    const { code, detail } = parseJson(body, JSON_LIMIT) as { code?: unknown; detail?: unknown };
    if (typeof code !== 'string' || !Object.hasOwn(PROBLEMS, code)) return { detail: '' };
    if (PROBLEMS[code as ProblemCode].status === 0) return { detail: '' }; // what only this host can know
    return { code: code as ProblemCode, detail: printable(typeof detail === 'string' ? detail : code) };
  } catch {
    return { detail: '' };
  }
}

/** What became of a connection that ended before its answer did. */
export function lost(peer: PinnedPeer, error: Error): Problem {
  if (error instanceof Problem) return error;
  const why = (error as NodeJS.ErrnoException).code ?? error.message;
  if (why.startsWith('HPE_')) return new Problem('relay-answer-invalid', `the answer is not HTTP (${why})`);
  return new Problem('relay-unreachable', `the connection to ${peer.host}:${peer.port} broke (${why})`);
}
