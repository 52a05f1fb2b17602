/**
 * Loaded by `node --import` before a program of this project: gives it its sources with the mutations of the environment.
 * A mutation whose text is not there ends the process, so that no sabotage counts as tried that was not.
 */
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MUTATIONS_VARIABLE, type Mutation } from './mutation.ts';

const PROJECT = join(import.meta.dirname, '..', '..', '..');

const mutations = (JSON.parse(process.env[MUTATIONS_VARIABLE] ?? '[]') as Mutation[]).map((mutation) => {
  const path = join(PROJECT, mutation.file);
  if (!existsSync(path) || !readFileSync(path, 'utf8').includes(mutation.find)) {
    process.stderr.write(`${mutation.file} does not hold what is to be sabotaged\n`);
    process.exit(3);
  }
  return { ...mutation, url: pathToFileURL(path).href };
});

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const own = mutations.filter((mutation) => mutation.url === url);
    if (own.length === 0) return loaded;
    const source = own.reduce((text, { find, replace }) => text.replace(find, () => replace), String(loaded.source));
    return { ...loaded, source };
  },
});
