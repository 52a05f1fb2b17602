/**
 * The commands that a document tells its reader to type: its fences marked `sh`.
 *
 * The blocks of a document are run in their order, in one fresh copy of the project. A block that keeps running says
 * by which line it is seen to be ready: ```sh ready="listening". What is shown but not typed is fenced as `console`
 * (with output) or `text`, and other languages by their names.
 */

export interface CommandBlock {
  /** Line of the document, from 1. */
  readonly line: number;
  readonly text: string;
  /** Part of the output that shows that a block which keeps running is ready; undefined when it ends by itself. */
  readonly ready: string | undefined;
}

interface Fence {
  readonly line: number;
  readonly info: string;
  readonly text: string;
}

const FENCE = /^( *)```([^\n]*)\n([\s\S]*?)^ *```$/gm;

/** The command blocks of a document, in order. */
export function commandBlocks(markdown: string): CommandBlock[] {
  return fencesOf(markdown).flatMap(({ line, info, text }) => {
    const command = /^sh(?: ready="([^"]+)")?$/.exec(info);
    return command ? [{ line, text, ready: command[1] }] : [];
  });
}

/** One sentence for each fence whose commands nobody could run as they stand, or would not find. */
export function commandProblems(markdown: string): string[] {
  return fencesOf(markdown).flatMap(({ line, info, text }) => {
    const [language = ''] = info.split(' ');
    if (language === '') return [`line ${line}: the fence says no language; mark commands as sh, the rest as text`];
    if (/^(bash|shell|zsh|shellscript)$/.test(language)) return [`line ${line}: mark commands as sh, not ${language}`];
    if (language !== 'sh') return [];
    if (info !== 'sh' && !/^sh ready="[^"]+"$/.test(info)) return [`line ${line}: "${info}" is not: sh ready="TEXT"`];
    const gap = /<[A-Za-z][\w -]*>|\.\.\.|…|xxx|\bYOUR[_-]/.exec(text);
    return gap ? [`line ${line}: "${gap[0]}" is something that the reader would have to fill in`] : [];
  });
}

function fencesOf(markdown: string): Fence[] {
  return [...markdown.matchAll(FENCE)].map((match) => {
    const [, indent = '', info = '', body = ''] = match;
    const text = body
      .split('\n')
      .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
      .join('\n');
    return { line: markdown.slice(0, match.index).split('\n').length, info: info.trim(), text };
  });
}
