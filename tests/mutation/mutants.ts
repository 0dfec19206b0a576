// All small changes of a source text that a good test should notice: comparisons, boundaries, arithmetic, conditions, constants, statements
// left out. The types are blanked first (Node's own stripping keeps every offset), so that what is changed is code that runs.
//
// Left alone: assertions (they hold, or the program has a bug), texts, imports, and what no test could see.

import { stripTypeScriptTypes } from 'node:module';

export interface Mutant {
  /** text[start, end) becomes `replacement`. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly line: number;
  /** The function or method around it; empty if it runs while the module is loaded. */
  readonly within: string;
  /** What was done, for people. */
  readonly change: string;
}

export interface Token {
  readonly kind: 'word' | 'number' | 'text' | 'operator';
  readonly text: string;
  readonly start: number;
}

const TOKEN =
  /\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`|\d[\w.]*|#?[A-Za-z_$][\w$]*|>>>=|\.\.\.|===|!==|\*\*|<<=|>>=|>>>|=>|<<|>>|<=|>=|&&|\|\||\?\?=|\?\?|\?\.|\+\+|--|[-+*/%&|^]=|\S/g;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+\/[a-z]*/y;

const SWAPPED: ReadonlyMap<string, readonly string[]> = new Map([
  ['<', ['<=', '>=']],
  ['<=', ['<', '>']],
  ['>', ['>=', '<=']],
  ['>=', ['>', '<']],
  ['===', ['!==']],
  ['!==', ['===']],
  ['&&', ['||']],
  ['||', ['&&']],
  ['+', ['-']],
  ['-', ['+']],
  ['*', ['/']],
  ['/', ['*']],
  ['%', ['+']],
  ['<<', ['>>']],
  ['>>>', ['<<']],
  ['&', ['|']],
  ['|', ['&']],
  ['+=', ['-=']],
  ['-=', ['+=']],
  ['++', ['--']],
]);

/** A line that is one statement whose only point is what it does. */
const STATEMENT = /^(?:await )?(?:this\.|[a-z])[\w.#$[\]]*(?:\(|\s(?:[-+|&*?]{0,2}=)\s|\+\+;|--;).*;$/;
const NO_STATEMENT = /^(?:assert|const|let|return|throw|import|export|break|continue|for|if|while|super)\b/;

/** In the order of their places. */
export function mutantsOf(source: string): Mutant[] {
  const code = stripTypeScriptTypes(source, { mode: 'strip' });
  const tokens = tokensOf(code);
  const lines = source.split('\n');
  const mutants: Mutant[] = [];
  const add = (start: number, end: number, replacement: string, change: string): void => {
    const line = lineAt(source, start);
    mutants.push({ start, end, replacement, line, within: functionAround(lines, line), change });
  };
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at];
    if (text === 'assert') at = endsAt(tokens, at + 1);
    else if (text === 'import') at = endOfStatement(tokens, at);
    else changeToken(tokens, at, code, add);
  }
  leaveOutStatements(lines, code, add);
  return mutants.sort((a, b) => a.start - b.start);
}

function lineAt(source: string, offset: number): number {
  return source.slice(0, offset).split('\n').length;
}

/** By the house's layout: functions begin at the margin, methods one step in. */
const FUNCTION = /^(?:export )?(?:async )?function\*? *(\w+)|^(?:export )?const (\w+) .*=>/;
const CLASS = /^(?:export )?(?:abstract )?class /;
const METHOD = /^ {2}(?:(?:private|static|override|async|get|set) |\*)*(#?\w+)(?:<.*>)?\(/;
const GOES_ON = /^ *(?:[)}\]]|\/\/|\/?\*|$)/;

function functionAround(lines: readonly string[], line: number): string {
  const upwards = lines.slice(0, line).reverse();
  const atMargin = upwards.findIndex((text) => /^\S/.test(text) && !GOES_ON.test(text));
  const head = upwards[atMargin] ?? '';
  const [, declared, constant] = FUNCTION.exec(head) ?? [];
  if (!CLASS.test(head)) return declared ?? constant ?? '';
  const member = upwards.slice(0, atMargin).find((text) => /^ {2}\S/.test(text) && !GOES_ON.test(text)) ?? '';
  return METHOD.exec(member)?.[1] ?? '';
}

type Add = (start: number, end: number, replacement: string, change: string) => void;

function changeToken(tokens: readonly Token[], at: number, code: string, add: Add): void {
  const { kind, text, start } = tokens[at];
  const end = start + text.length;
  if (kind === 'operator') {
    const isUnary = (text === '+' || text === '-') && !endsValue(tokens[at - 1]);
    for (const other of isUnary ? [] : (SWAPPED.get(text) ?? [])) add(start, end, other, `${text} becomes ${other}`);
  } else if (kind === 'number') {
    const other = changedNumber(text);
    if (other !== undefined) add(start, end, other, `${text} becomes ${other}`);
  } else if (text === 'true' || text === 'false') {
    const other = text === 'true' ? 'false' : 'true';
    add(start, end, other, `${text} becomes ${other}`);
  } else if (text === 'if' || text === 'while') {
    const close = tokens[endsAt(tokens, at + 1)];
    const from = tokens[at + 1].start + 1;
    const condition = code.slice(from, close.start).replace(/\s+/g, ' ').slice(0, 60);
    for (const value of text === 'if' ? ['true', 'false'] : ['false']) {
      if (condition !== value) add(from, close.start, value, `${text} (${condition}) becomes ${text} (${value})`);
    }
  }
}

/** Undefined: a number as good as any other, like a unit. */
function changedNumber(text: string): string | undefined {
  if (text.endsWith('n') || text.includes('.')) return undefined;
  const value = Number(text.replaceAll('_', ''));
  return Number.isInteger(value) && value < 1000 ? String(value + 1) : undefined;
}

function leaveOutStatements(lines: readonly string[], code: string, add: Add): void {
  let start = 0;
  for (const [index, line] of code.split('\n').entries()) {
    const trimmed = line.trim();
    // A field of a class looks like a statement, but stands outside of functions.
    if (STATEMENT.test(trimmed) && !NO_STATEMENT.test(trimmed) && functionAround(lines, index + 1) !== '') {
      const from = start + line.indexOf(trimmed);
      add(from, from + trimmed.length, ';', `left out: ${trimmed.replace(/\s+/g, ' ').slice(0, 80)}`);
    }
    start += line.length + 1;
  }
}

export function tokensOf(code: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(code); match !== null; match = TOKEN.exec(code)) {
    const [text] = match;
    if (text.startsWith('//') || text.startsWith('/*')) continue;
    const start = match.index;
    if (text === '/' && !endsValue(tokens.at(-1))) {
      REGEX.lastIndex = start;
      const regex = REGEX.exec(code);
      if (regex !== null) {
        tokens.push({ kind: 'text', text: regex[0], start });
        TOKEN.lastIndex = start + regex[0].length;
        continue;
      }
    }
    tokens.push({ kind: kindOf(text), text, start });
  }
  return tokens;
}

function kindOf(text: string): Token['kind'] {
  if (/^['"`]/.test(text)) return 'text';
  if (/^\d/.test(text)) return 'number';
  return /^#?[A-Za-z_$]/.test(text) ? 'word' : 'operator';
}

/** Whether an operator behind the token has a left side. */
function endsValue(token: Token | undefined): boolean {
  if (token === undefined) return false;
  if (token.kind === 'word') return !/^(?:return|typeof|await|yield|case|in|of|new|throw)$/.test(token.text);
  return token.kind !== 'operator' || token.text === ')' || token.text === ']' || token.text === '}';
}

/** The place of the bracket that closes the one at `open`. */
export function endsAt(tokens: readonly Token[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if ('([{'.includes(tokens[at].text)) depth++;
    else if (')]}'.includes(tokens[at].text) && --depth === 0) return at;
  }
  return tokens.length - 1;
}

function endOfStatement(tokens: readonly Token[], from: number): number {
  let at = from;
  while (at < tokens.length - 1 && tokens[at].text !== ';') at++;
  return at;
}
