/** Archive servers vouch for the log: their signatures authorise that and nothing else, so that any machine may carry them here. */
import { MAX_NOTE_BYTES } from '../../protocol/note.ts';
import type { Conduit } from '../conduit.ts';
import { describe, json, type OpenRoute } from './route.ts';
import { SignedCall } from './signed-call.ts';

export function cosignedRoutes(conduit: Conduit): OpenRoute[] {
  const calls = new SignedCall(conduit, ['log-missing', 'log-forked']);
  return [
    {
      call: 'ct-cosigned',
      method: 'POST',
      url: '/v2/ct/cosigned',
      allowed: 'anyone',
      schema: describe('A whole checkpoint of this relay with the lines of archive servers that hold its records.', {
        open: true,
        body: { description: 'A signed note.', content: { 'text/plain': { schema: { type: 'string' } } } },
        response: {
          200: json('The head, and whose word for it is new.', { origin: {}, size: {}, news: {} }),
        },
      }),
      handle: (exchange) =>
        calls.handle(exchange, MAX_NOTE_BYTES, (bytes) => {
          const taken = conduit.audit.takeCosigned(bytes, conduit.roster.current.cosigners);
          // The same head may come from anybody any number of times: it is served with its lines.
          if (taken.news.length > 0) conduit.log.info({ size: taken.size, by: taken.news }, 'cosigned');
          return taken;
        }),
    },
  ];
}
