import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { check, integer, list, object } from '../../protocol/shape.ts';
import { readYamlFile } from '../../tools/lib/yaml-file.ts';

const SHAPE = object({ speed: integer(1, 9), parts: list(object({ size: integer(1, 9) }), 0, 9) });

t.test('a YAML file is strict, and what is wrong has its line', async (t) => {
  const path = join(t.testdir(), 'a.yaml');
  const read = (text: string) => {
    writeFileSync(path, text);
    return readYamlFile(path, (value) => check(SHAPE, value));
  };
  t.same(read('speed: 3\nparts:\n  - size: 2\n'), { speed: 3, parts: [{ size: 2 }] });
  const cases: [string, RegExp][] = [
    ['speed: 3\nparts:\n  - size: 20\n', /a.yaml:3: parts\[0\].size must be an integer from 1 to 9, not 20/],
    ['speed: 3\nparts: []\nspede: 4\n', /a.yaml:3: unknown key "spede"/],
    ['speed: 3\n', /a.yaml:1: key "parts" is missing/],
    ['speed: 3\nspeed: 4\n', /a.yaml:2: Map keys must be unique/],
    ['speed: &a 3\nparts: *a\n', /a.yaml:2: aliases are not allowed/],
    ['speed: [\n', /a.yaml:\d: /],
    ['', /a.yaml:1: document must be an object/],
    [`${'['.repeat(20_000)}`, /a.yaml:1: /],
  ];
  for (const [text, message] of cases) {
    t.throws(() => read(text), { code: 'config-invalid', message }, text.slice(0, 40));
  }
  t.throws(() => read('x'.repeat(70_000)), { code: 'file-invalid' });
  t.throws(() => readYamlFile(join(path, 'none'), () => null), { code: 'config-missing' });
});
