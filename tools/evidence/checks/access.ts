/** Checks of who may call what, where, and how strangers are refused. */
import type { Call } from '../../../protocol/config.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import type { RunCheck } from '../check.ts';
import type { Answer, Question } from '../scene/asking.ts';
import { CALL_FORMS, UNKNOWN_KEY } from '../scene/calls.ts';
import type { Scene } from '../scene/scene.ts';
import type { DeviceName } from '../scene/template.ts';

const AUTH = 'relay/members/auth.ts';
const LOG_CALLS: readonly Call[] = ['checkpoint', 'entries', 'ct-epoch', 'ct-sth', 'ct-proof', 'ct-log'];
/** A device of each zone. */
const OF_ZONE: Readonly<Record<Zone, DeviceName>> = { ot: 'plc', it: 'historian', management: 'auditor' };
/** A device of the zone that lacks the role, one that has it, and calls of that role. */
const ROLES: readonly (readonly [Zone, DeviceName, DeviceName, readonly Call[]])[] = [
  ['ot', 'ot-reader', 'plc', ['inbound']],
  ['it', 'it-sender', 'historian', ['claim', 'ack']],
  ['management', 'clerk', 'auditor', ['ct-log', 'entries']],
];

export const ACCESS_CHECKS: readonly RunCheck[] = [
  {
    id: 'calls-need-key',
    layer: 'run',
    async look(scene, see) {
      for (const zone of ZONES) await scene.registered(OF_ZONE[zone], zone);
      let tried = 0;
      for (const zone of ZONES) {
        for (const call of (await callsOf(scene, zone)).filter((each) => CALL_FORMS[each].allowed !== 'anyone')) {
          const keys = { 'no key': undefined, 'a malformed key': 'pgp_short', 'an unknown key': UNKNOWN_KEY };
          for (const [name, apiKey] of Object.entries(keys)) {
            tried += 1;
            see(`${zone} ${call} with ${name}`, (await scene.ask(zone, questionOf(call, apiKey))).status, 404);
          }
        }
      }
      see('calls tried', tried, 9, 'at-least');
    },
    sabotages: {
      'open-gate': {
        mutations: [
          {
            file: 'relay/http/listener.ts',
            find: 'audit?.presence.proved(member().device.did, zone.name);',
            replace: '',
          },
        ],
      },
      'unknown-key': {
        mutations: [
          {
            file: 'relay/members/registry.ts',
            find: 'return did === undefined ? undefined : this.withDid(did);',
            replace: 'return this.withDid(did ?? [...this.#byDid.keys()][0]!);',
          },
        ],
      },
    },
  },
  {
    id: 'refusals-alike',
    layer: 'run',
    async look(scene, see) {
      for (const device of ['plc', 'ot-reader'] as const) await scene.registered(device, 'ot');
      await scene.registered('historian', 'it');
      const key = (device: DeviceName) => scene.enrolment(device).apiKey;
      const cases: Readonly<Record<string, Question>> = {
        'no key': questionOf('status', undefined),
        'a malformed key': questionOf('status', 'pgp_short'),
        'an unknown key': questionOf('status', UNKNOWN_KEY),
        'the wrong role': questionOf('status', key('ot-reader')),
        'the wrong zone': questionOf('status', key('historian')),
        'an unknown transfer': questionOf('status', key('plc')),
        'a call of another listener': questionOf('claim', key('plc')),
        'an unknown call': { path: '/nothing', apiKey: key('plc') },
        'an unknown method': { method: 'PUT', path: '/v2/roster', apiKey: key('plc') },
      };
      const first = contentOf(await scene.ask('ot', cases['no key']!));
      for (const [name, question] of Object.entries(cases)) {
        const same = contentOf(await scene.ask('ot', question)) === first;
        see(`${name} beside no key`, same ? 'the same answer' : 'another answer', 'the same answer');
      }
    },
    sabotages: {
      telling: {
        mutations: [
          {
            file: 'relay/http/problem-reply.ts',
            find: "problem.code === 'not-available' ? NOT_AVAILABLE : Buffer.from(problemJson(problem))",
            replace: 'Buffer.from(problemJson(problem))',
          },
        ],
      },
    },
  },
  {
    id: 'roles-hold',
    layer: 'run',
    async look(scene, see) {
      for (const [zone, lacking, having, calls] of ROLES) {
        await scene.registered(lacking, zone);
        await scene.registered(having, zone);
        for (const call of calls) {
          const ask = async (device: DeviceName) =>
            (await scene.ask(zone, questionOf(call, scene.enrolment(device).apiKey))).status;
          see(`${call} of ${lacking}`, await ask(lacking), 404);
          see(`${call} of ${having}`, (await ask(having)) === 404 ? 'refused' : 'let pass', 'let pass');
        }
      }
    },
    sabotages: {
      'no-roles': {
        mutations: [{ file: AUTH, find: '!device.roles.includes(allowed)', replace: 'device.roles.length === 0' }],
      },
    },
  },
  {
    id: 'zones-hold',
    layer: 'run',
    async look(scene, see) {
      for (const zone of ZONES) await scene.registered(OF_ZONE[zone], zone);
      for (const home of ZONES) {
        const { apiKey } = scene.enrolment(OF_ZONE[home]);
        for (const zone of ZONES) {
          const calls = (await callsOf(scene, zone)).filter((each) => CALL_FORMS[each].allowed !== 'anyone');
          const statuses = await Promise.all(
            calls.map(async (call) => (await scene.ask(zone, questionOf(call, apiKey))).status),
          );
          const passed = statuses.filter((status) => status !== 404).length;
          if (home === zone) see(`calls of ${zone} that a device of ${home} is let pass`, passed, 1, 'at-least');
          else see(`calls of ${zone} that a device of ${home} is let pass`, passed, 0);
        }
      }
    },
    sabotages: {
      'no-zones': {
        mutations: [{ file: AUTH, find: 'if (!zone.admits(device.zone) &&', replace: "if (device.name === '' &&" }],
      },
    },
  },
  {
    id: 'log-readers',
    layer: 'run',
    async look(scene, see) {
      await scene.registered('auditor', 'management');
      await scene.registered('clerk', 'management');
      for (const call of ['entries', 'ct-log'] as const) {
        const status = async (apiKey: string | undefined) =>
          (await scene.ask('management', questionOf(call, apiKey))).status;
        see(`${call} for the role audit`, await status(scene.enrolment('auditor').apiKey), 200);
        see(`${call} for another role`, await status(scene.enrolment('clerk').apiKey), 404);
        see(`${call} for a stranger`, await status(undefined), 404);
      }
      const { apiKey } = scene.enrolment('auditor');
      for (const call of LOG_CALLS) {
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
          const { path } = CALL_FORMS[call];
          see(`${method} of ${call}`, (await scene.ask('management', { method, path, apiKey, body: '' })).status, 404);
        }
      }
    },
    sabotages: {
      'open-records': {
        mutations: [{ file: 'relay/routes/log.ts', find: "allowed: 'audit'", replace: "allowed: 'anyone'" }],
      },
    },
  },
];

/** The calls that the pq listener of a zone serves by its configuration. */
export async function callsOf(scene: Scene, zone: Zone): Promise<readonly Call[]> {
  const { port } = await scene.peer(zone);
  return (await scene.relay()).listeners.find((each) => each.port === port)!.calls;
}

/** The request of a call with a key, and without a body. */
export function questionOf(call: Call, apiKey: string | undefined): Question {
  const { method, path } = CALL_FORMS[call];
  return { method, path, ...(apiKey === undefined ? {} : { apiKey }) };
}

/** All of an answer that a stranger sees. */
function contentOf({ status, headers, body }: Answer): string {
  return JSON.stringify([status, Object.entries(headers).sort(), body.toString('base64')]);
}
