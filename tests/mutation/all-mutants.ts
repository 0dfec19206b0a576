// All mutants of a module in one text, so that nothing is loaded again for the next one: each body has a copy for each of its mutants, and a number says
// which one runs.
//
//   f(a) { return a < 3; }   →   f(a) { switch (k1mMutant.index) { case 7: { return a <= 3; } return; … }  return a < 3; }
//
// What is outside of the bodies of functions and methods (constants, fields, parameters) has no copy, and neither has a function that is called there: it has
// run before a mutant can be chosen.

import { stripTypeScriptTypes } from 'node:module';
import { endsAt, type Mutant, mutantsOf, tokensOf } from './mutants.ts';

/** In `globalThis.k1mMutant`: the place of the mutant among the module's, or -1. */
export interface RunningMutant {
  index: number;
}

export interface ModuleOfMutants {
  readonly mutants: readonly Mutant[];
  readonly text: string;
  /** Places of the mutants that are in it. */
  readonly included: ReadonlySet<number>;
}

export function withAllMutants(source: string): ModuleOfMutants {
  const code = stripTypeScriptTypes(source);
  const mutants = mutantsOf(source);
  const included = new Set<number>();
  const bodies = bodiesOf(code);
  const outside = bodies.reduceRight((text, { start, end }) => text.slice(0, start) + text.slice(end), code);
  const pieces: string[] = ['const k1mMutant = globalThis.k1mMutant;'];
  let at = 0;
  for (const { name, start, end } of bodies) {
    if ([...outside.matchAll(calls(name))].length > 1) continue;
    const cases: string[] = [];
    for (const [index, mutant] of mutants.entries()) {
      if (mutant.start < start || mutant.end > end) continue;
      included.add(index);
      const body = code.slice(start, mutant.start) + mutant.replacement + code.slice(mutant.end, end);
      cases.push(`case ${index}: {${body}\n} return;`);
    }
    if (cases.length === 0) continue;
    pieces.push(code.slice(at, start), `switch (k1mMutant.index) {${cases.join('')}}`);
    at = start;
  }
  return { mutants, text: pieces.join('') + code.slice(at), included };
}

/** Where a function is called or declared. */
function calls(name: string): RegExp {
  return new RegExp(`(?<![\\w#$])${name.replaceAll('$', '\\$')}\\(`, 'g');
}

interface Body {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Between the braces of each function at the margin and of each method. */
function bodiesOf(code: string): Body[] {
  const tokens = tokensOf(code);
  const bodies: Body[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const { text } = tokens[at];
    const isHead = tokens[at + 1]?.text === '(' && tokens[at].kind === 'word';
    if (isHead) {
      const open = endsAt(tokens, at + 1) + 1;
      // Not a call, an arrow or a condition: those are inside of bodies, or end otherwise.
      if (tokens[open]?.text !== '{') continue;
      const close = endsAt(tokens, open);
      bodies.push({ name: text, start: tokens[open].start + 1, end: tokens[close].start });
      at = close;
    } else if (text === '{' && !isClass(tokens, at)) at = endsAt(tokens, at);
  }
  return bodies;
}

function isClass(tokens: readonly { readonly text: string }[], open: number): boolean {
  for (let at = open - 1; at >= 0 && /^[\w$.,#]+$/.test(tokens[at].text); at--) {
    if (tokens[at].text === 'class') return true;
  }
  return false;
}
