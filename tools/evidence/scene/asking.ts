/** One bare request to a listener of the relay, over a pinned connection of its own. */
import https from 'node:https';
import { Problem } from '../../../protocol/problem.ts';
import { type PinnedPeer, pinnedAgent } from '../../lib/pinned-tls.ts';

const PATIENCE_MS = 20_000;
const ANSWER_LIMIT = 8_388_608;

export interface Question {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Uint8Array | string;
  readonly apiKey?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

/** Asks once. Refuses `relay-unreachable` when no whole answer comes. */
export async function ask(peer: PinnedPeer, question: Question): Promise<Answer> {
  const { method = 'GET', path, headers = {}, body, apiKey } = question;
  const agent = pinnedAgent(peer, 1);
  const { host, port } = peer;
  const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const lost = (why: string) => reject(new Problem('relay-unreachable', `${method} ${path}: ${why}`));
      const all = { ...length, ...authorization, ...headers };
      const call = https.request({ agent, host, port, method, path, headers: all }, (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > ANSWER_LIMIT) call.destroy();
          else chunks.push(chunk);
        });
        answer.on('error', (error) => lost(error.message));
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      });
      call.setTimeout(PATIENCE_MS, () => call.destroy(new Error('no answer in time')));
      call.on('error', (error) => lost(error.message));
      call.end(body);
    });
  } finally {
    agent.destroy();
  }
}
