/** The records of what was refused, and of who looked around without belonging here: each stands for many. */
import type { LogSource } from '../../protocol/log-record.ts';
import { PROBLEMS, type ProblemCode } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { Kind } from './counts.ts';

/** What a stranger did: connected without a request, failed at the handshake, or asked without an API key. */
export type Probe = 'connection' | 'handshake' | 'request';

/** Refusals of one code to one source. */
export function refusal(src: LogSource, code: ProblemCode): Kind {
  return { key: `${src.id} ${code}`, draft: refusalOf(src, code) };
}

/** Failures of one source to prove who it is, at a listener of one zone. */
export function failedAuthentication(src: LogSource, zone: Zone): Kind {
  return {
    key: `${src.id} auth ${zone}`,
    draft: (count) => ({ act: 'auth.failed', obj: { count, zone }, res: 'denied', src }),
  };
}

/** Probes of one source address, which stands there as 16 bytes in hex that only this process can make of it. */
export function probe(zone: Zone, kind: Probe, source: string): Kind {
  return {
    key: `${zone} ${kind} ${source}`,
    draft: (count) => ({ act: 'probe', obj: { count, kind, source }, res: 'denied', src: { id: zone, k: 'peer' } }),
  };
}

function refusalOf(src: LogSource, code: ProblemCode): Kind['draft'] {
  const { status } = PROBLEMS[code];
  if (src.k === 'device' && (code === 'quota-exceeded' || code === 'slots-full')) {
    return (count) => ({ act: 'quota.exceeded', obj: { code, count }, res: 'denied', src });
  }
  if (status === 400 || status === 413 || status === 415) {
    return (count) => ({ act: 'request.malformed', obj: { code, count }, res: 'failure', src });
  }
  return (count) => ({ act: 'request.denied', obj: { code, count }, res: 'denied', src });
}
