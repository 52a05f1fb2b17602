import t from 'tap';
import { type Figures, judge, median, quantile, round } from '../../bench/figures.ts';
import { conclude } from '../../bench/relay.ts';

t.test('quantiles are values that were measured', async (t) => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  t.equal(quantile(values, 0), 1);
  t.equal(median(values), 51);
  t.equal(quantile(values, 0.99), 100);
  t.equal(quantile([7], 0.99), 7);
  t.equal(round(1.005_4), 1.01);
  t.match(judge('x', 1.3, 1.3), /reached$/);
  t.match(judge('x', 1.31, 1.3), /NOT reached$/);
});

t.test('a comparison of two different handshakes is void', async (t) => {
  const same: Figures = {
    'relay.group': 'X25519MLKEM768',
    'relay.cipher': 'TLS_AES_256_GCM_SHA384',
    'nginx.group': 'X25519MLKEM768',
    'nginx.cipher': 'TLS_AES_256_GCM_SHA384',
    'relay.cpuRatio': 0.9,
  };
  t.match(conclude(same, []), { figures: { 'relay.cpuRatio': 0.9 } });
  t.equal(conclude(same, []).void, undefined);
  for (const change of [{ 'nginx.group': 'X25519' }, { 'nginx.cipher': 'TLS_CHACHA20_POLY1305_SHA256' }]) {
    const concluded = conclude({ ...same, ...change }, []);
    t.equal(concluded.figures['relay.cpuRatio'], null);
    t.match(concluded.void, Object.values(change)[0]);
  }
});
