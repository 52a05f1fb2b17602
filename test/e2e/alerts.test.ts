/** The alert rules that are shipped: each fires on what it is about, and nothing fires at a healthy relay. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse, stringify } from 'yaml';
import { smallPlant } from '../fixtures/plant.ts';
import { runRelay } from '../fixtures/relay.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RULES = join(ROOT, 'monitoring', 'ghostpipe.rules.yml');
const RELAY = 'job="ghostpipe",instance="relay"';
/** The minute at which the rules are looked at; later where a rule looks back for hours. */
const MINUTES = 90;
const LONG = 720;

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

/** Series by name, as promtool writes values minute by minute. */
type Series = Readonly<Record<string, string>>;

/** A relay at work for twelve hours: one sender, one receiver, 64 slots, and a little of everything that is normal. */
const HEALTHY: Series = {
  [`up{${RELAY}}`]: always(1),
  [`ghostpipe_ready{${RELAY}}`]: always(1),
  [`ghostpipe_uptime_seconds{${RELAY}}`]: growing(60),
  [`ghostpipe_slots{${RELAY},state="free"}`]: always(60),
  [`ghostpipe_slots{${RELAY},state="used"}`]: always(4),
  [`ghostpipe_slots{${RELAY},state="burning"}`]: always(0),
  [`ghostpipe_blocks_burned_total{${RELAY},state="expired"}`]: always(0),
  [`ghostpipe_blocks_burned_total{${RELAY},state="delivered"}`]: growing(4),
  [`ghostpipe_interval_seconds{${RELAY}}`]: always(15),
  [`ghostpipe_device_registered{${RELAY},device="plc",zone="ot"}`]: always(1),
  [`ghostpipe_device_block_age_seconds{${RELAY},device="plc",zone="ot"}`]: always(14),
  [`ghostpipe_device_claim_age_seconds{${RELAY},device="historian",zone="it"}`]: always(14),
  [`ghostpipe_refusals_total{${RELAY},code="not-available"}`]: growing(1),
  [`ghostpipe_refusals_total{${RELAY},code="slots-full"}`]: always(0),
  [`ghostpipe_handshake_failures_total{${RELAY},zone="ot"}`]: growing(1),
  [`ghostpipe_connections_dropped_total{${RELAY},reason="share"}`]: always(0),
  [`ghostpipe_roster_not_in_file{${RELAY}}`]: always(0),
  [`ghostpipe_unrostered_revocations{${RELAY}}`]: always(0),
  [`ghostpipe_log_head_age_seconds{${RELAY}}`]: always(29),
  [`ghostpipe_log_faults_total{${RELAY}}`]: always(0),
  [`ghostpipe_log_receipts_lost_total{${RELAY}}`]: always(0),
  [`ghostpipe_log_unwritten_records{${RELAY}}`]: always(0),
  [`ghostpipe_log_bytes{${RELAY}}`]: always(100_000_000),
  [`ghostpipe_log_limit_bytes{${RELAY}}`]: always(268_435_456),
  [`ghostpipe_log_full{${RELAY}}`]: always(0),
  [`process_resident_memory_bytes{${RELAY}}`]: always(500_000_000),
  [`ghostpipe_event_loop_delay_seconds{${RELAY}}`]: always(0.02),
};

/** What each alert is about, as a change to the healthy relay. */
const FIRES: Readonly<Record<string, Series>> = {
  GhostpipeRelayDown: { [`up{${RELAY}}`]: always(0) },
  GhostpipeNotReady: { [`ghostpipe_ready{${RELAY}}`]: always(0) },
  GhostpipeRestarts: { [`ghostpipe_uptime_seconds{${RELAY}}`]: `${growing(60, MINUTES - 6)} 60 0 60 0 60 0` },
  GhostpipeSlotsNearlyFull: {
    [`ghostpipe_slots{${RELAY},state="free"}`]: always(12),
    [`ghostpipe_slots{${RELAY},state="used"}`]: always(52),
  },
  GhostpipeSlotsFull: {
    [`ghostpipe_slots{${RELAY},state="free"}`]: always(0),
    [`ghostpipe_slots{${RELAY},state="used"}`]: always(64),
  },
  GhostpipeBlocksExpiring: {
    [`ghostpipe_blocks_burned_total{${RELAY},state="expired"}`]: `${always(0, MINUTES - 5)} 1 1 1 1 1`,
  },
  GhostpipeDeviceMissing: { [`ghostpipe_device_registered{${RELAY},device="plc",zone="ot"}`]: always(0) },
  GhostpipeSenderSilent: { [`ghostpipe_device_block_age_seconds{${RELAY},device="plc",zone="ot"}`]: always(151) },
  GhostpipeReceiverAway: {
    [`ghostpipe_device_claim_age_seconds{${RELAY},device="historian",zone="it"}`]: always(151),
  },
  GhostpipeRefusalsRising: { [`ghostpipe_refusals_total{${RELAY},code="slots-full"}`]: growing(30) },
  GhostpipeHandshakeFailures: { [`ghostpipe_handshake_failures_total{${RELAY},zone="ot"}`]: growing(10) },
  GhostpipeConnectionsDropped: { [`ghostpipe_connections_dropped_total{${RELAY},reason="share"}`]: growing(1) },
  GhostpipeRosterNotInFile: { [`ghostpipe_roster_not_in_file{${RELAY}}`]: always(1) },
  GhostpipeRevocationsUnrostered: { [`ghostpipe_unrostered_revocations{${RELAY}}`]: always(2) },
  GhostpipeLogHeadLate: { [`ghostpipe_log_head_age_seconds{${RELAY}}`]: always(61) },
  GhostpipeLogFault: { [`ghostpipe_log_faults_total{${RELAY}}`]: `${always(0, MINUTES - 5)} 1 1 1 1 1` },
  GhostpipeLogReceiptsLost: { [`ghostpipe_log_receipts_lost_total{${RELAY}}`]: `${always(0, MINUTES - 5)} 2 2 2 2 2` },
  GhostpipeLogBehind: { [`ghostpipe_log_unwritten_records{${RELAY}}`]: always(3) },
  GhostpipeLogMemory: { [`ghostpipe_log_bytes{${RELAY}}`]: always(220_000_000) },
  GhostpipeLogFull: { [`ghostpipe_log_full{${RELAY}}`]: always(1) },
  GhostpipeMemoryGrowing: { [`process_resident_memory_bytes{${RELAY}}`]: `500000000+500000x${LONG}` },
  GhostpipeLogUnarchived: { [`ghostpipe_log_unarchived_records{${RELAY}}`]: always(3) },
  GhostpipeEventLoopSlow: { [`ghostpipe_event_loop_delay_seconds{${RELAY}}`]: always(3) },
};

function always(value: number, minutes = LONG): string {
  return `${value}x${minutes}`;
}

function growing(aMinute: number, minutes = LONG): string {
  return `0+${aMinute}x${minutes}`;
}

function alerts(): readonly Alert[] {
  return (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Alert[] }[] }).groups.flatMap(({ rules }) => rules);
}

/** One test of promtool: these series, and the names of all alerts that fire at their end. */
function ruleTest(name: string, series: Series, firing: readonly string[], minute = MINUTES): object {
  return {
    name,
    interval: '1m',
    input_series: Object.entries(series).map(([key, values]) => ({ series: key, values })),
    promql_expr_test: [
      {
        expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minute}m`,
        exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      },
    ],
  };
}

function promtool(t: Test, tests: readonly object[]): { status: number | null; stdout: string } {
  const folder = t.testdir();
  copyFileSync(RULES, join(folder, 'rules.yml'));
  writeFileSync(join(folder, 'tests.yml'), stringify({ rule_files: ['rules.yml'], evaluation_interval: '1m', tests }));
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', join(folder, 'tests.yml')], {
    encoding: 'utf8',
  });
  return { status, stdout: stdout + stderr };
}

t.test('promtool takes the rules', async (t) => {
  t.match(
    execFileSync('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', RULES], { encoding: 'utf8' }),
    /SUCCESS/,
  );
});

t.test('each alert fires on what it is about, alone, and none fires at a healthy relay', async (t) => {
  t.same(
    Object.keys(FIRES).sort(),
    alerts()
      .map(({ alert }) => alert)
      .sort(),
    'every alert has its case',
  );
  const tests = Object.entries(FIRES).map(([name, bad]) =>
    ruleTest(name, { ...HEALTHY, ...bad }, [name], name === 'GhostpipeMemoryGrowing' ? LONG : MINUTES),
  );
  const { status, stdout } = promtool(t, [ruleTest('a healthy relay', HEALTHY, [], LONG), ...tests]);
  t.equal(status, 0, stdout);
  const nothing = promtool(t, [ruleTest('no relay at all', {}, ['GhostpipeRelayDown'])]);
  t.equal(nothing.status, 0, nothing.stdout);
  const wrong = promtool(t, [ruleTest('an expectation that is wrong', HEALTHY, ['GhostpipeRelayDown'])]);
  t.equal(wrong.status, 1, 'promtool compares');
});

t.test('what an operator reads is there, and so is every metric that a rule names', async (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'monitoring.md'), 'utf8');
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!.toLowerCase());
  const { conduit } = await runRelay(t, smallPlant(t.testdir()));
  conduit.activity.registered(conduit.roster.current.devices[0]!.did);
  const exposition = await conduit.metrics.text('management');
  const named = new Set(exposition.match(/^[a-z_]+/gm));
  const known = new Set([...named, 'up', 'ghostpipe_device_block_age_seconds', 'ghostpipe_device_claim_age_seconds']);
  for (const { alert, expr, labels, annotations } of alerts()) {
    t.match(labels.severity, /^(warning|critical)$/, alert);
    t.equal(annotations.runbook, `docs/monitoring.md#${alert.toLowerCase()}`);
    t.ok(headings.includes(alert.toLowerCase()), `${alert} has a heading in docs/monitoring.md`);
    const metrics = expr.match(/\b(up|ghostpipe_\w+|process_\w+)\b/g) ?? [];
    t.ok(metrics.length > 0, expr);
    t.same(
      metrics.filter((metric) => !known.has(metric)),
      [],
      `${alert} names metrics that exist`,
    );
  }
});
