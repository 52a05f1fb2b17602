/**
 * Builds tools/audit/viewer/page.html from its sources in tools/audit/viewer/: the page that every export carries. Run by
 * hand when a source changed, those of protocol/ that it uses included:
 *
 *     node test/structure/make-viewer.ts
 *
 * A test checks that the file is what this builds. Its program and its style are bound by their hashes: the page runs
 * nothing else, and reaches no network.
 */
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const ROOT = join(import.meta.dirname, '..', '..');
const SOURCES = join(ROOT, 'tools', 'audit', 'viewer', 'browser');
export const VIEWER_PAGE = join(ROOT, 'tools', 'audit', 'viewer', 'page.html');

/** The whole page. */
export function buildViewer(): string {
  const program = built('main.ts', { bundle: true, format: 'iife', legalComments: 'eof' });
  const style = built('page.css', {});
  const policy = [
    `default-src 'none'`,
    `script-src 'sha256-${hash('sha256', program, 'base64')}'`,
    `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
    'worker-src blob:',
    `base-uri 'none'`,
    `form-action 'none'`,
  ];
  const parts: Readonly<Record<string, string>> = { csp: policy.join('; '), program, style };
  return readFileSync(join(SOURCES, 'page.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name: string) => parts[name]!);
}

function built(entry: string, options: Parameters<typeof buildSync>[0]): string {
  const { outputFiles } = buildSync({
    ...options,
    absWorkingDir: ROOT,
    entryPoints: [join(SOURCES, entry)],
    minify: true,
    target: ['chrome125', 'firefox128', 'safari18'],
    write: false,
  });
  return outputFiles![0]!.text;
}

if (import.meta.main) writeFileSync(VIEWER_PAGE, buildViewer());
