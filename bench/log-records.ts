/** What a busy relay records: blocks of many devices, each of them accepted, released and delivered. */
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { didOf } from '../protocol/identity.ts';
import { toBase64Url, toHex } from '../protocol/text.ts';
import type { Draft } from '../relay/log/draft.ts';

const DEVICES = 64;

/** Drafts without end: the three of one transfer follow each other, of senders and readers in turn. */
export function* drafts(): Generator<Draft, never> {
  const dids = Array.from({ length: DEVICES }, () => didOf(engine.random(32)));
  const routes = dids.map(() => toHex(engine.random(16)));
  for (let turn = 0; ; turn = (turn + 1) % DEVICES) {
    const x = toHex(engine.random(16));
    const sender = { id: dids[turn]!, k: 'device' } as const;
    const reader = { id: dids[DEVICES - 1 - turn]!, k: 'device' } as const;
    const obj = { c: toBase64Url(engine.random(32)), route: routes[turn]!, views: 1, x };
    yield { act: 'transfer.accepted', obj, res: 'success', src: sender };
    yield { act: 'transfer.release', obj: { attempt: 1, x }, res: 'success', src: reader };
    yield { act: 'transfer.delivered', obj: { x }, res: 'success', src: reader };
  }
}
