/** How exposed each service of an unpacked root is, and which of them policy/image/exposure.yaml does not explain. */
import { globSync, lstatSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import type { Tools } from '../../../image-build/tools.ts';
import { check, list, number, object, type Of, text } from '../../../protocol/shape.ts';

const POLICY = join(import.meta.dirname, '..', '..', '..', 'policy', 'image', 'exposure.yaml');
