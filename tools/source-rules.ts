// The house rules for TypeScript files that neither tsc nor Biome checks: layers, the outside world, names, length, comments.

import { basename, dirname, join } from 'node:path';
import { type Finding, lineAt } from './finding.ts';
import {
  LAYERS,
  LINES_LONG_MAX,
  LINES_MAX,
  LONG_FILES,
  OUTSIDE_EXCEPTIONS,
  OUTSIDE_LAYERS,
  TEST_LAYER,
} from './layers.ts';

const IMPORT = /^\s*(?:import|export)\s[^'"]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;
const OUTSIDE_MODULES = /^node:(?:fs|net|http|http2|https|tls|dgram|dns|child_process|worker_threads|timers|cluster)\b/;
const OUTSIDE_GLOBALS =
  /(?<![.\w])(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\(|\bprocess\.\w|\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bMath\.random\(/g;
const ANY = /(?:[:<|&,(]\s*|\bas\s+)any\b(?!\s*[:(])/;
const VAGUE_NAMES = /(?:^|-)(?:util|utils|helper|helpers|common|misc|manager)(?:-|\.|$)/;

export function isTest(path: string): boolean {
  return !path.startsWith('src/') || /(?:\.test|-fixture)\.ts$/.test(path) || folderOf(path) === TEST_LAYER;
}

/** The layer a file of src belongs to: the longest folder of the table that holds it, else its first folder. */
function folderOf(path: string): string {
  const below = path.slice('src/'.length);
  const holders = LAYERS.map(({ folder }) => folder).filter((folder) => below.startsWith(`${folder}/`));
  return holders.sort((a, b) => b.length - a.length)[0] ?? path.split('/')[1] ?? '';
}

export function checkSource(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const report = (offset: number, message: string): void => {
    findings.push({ file: path, line: offset < 0 ? 0 : lineAt(text, offset), text: message });
  };
  checkName(path, report);
  checkLength(path, text, report);
  // The sentences that name its tests open a test.
  if (!path.endsWith('.test.ts') && !/^(?:#!.*\n)?\s*(?:\/\/|\/\*)/.test(text)) report(-1, 'has no opening comment');
  const todo = /\b(?:TODO|FIXME|XXX)\b/.exec(text);
  if (todo !== null && !path.startsWith('tools/')) report(todo.index, `${todo[0]}: do it or leave it`);
  const code = withoutCommentsAndStrings(text);
  const loose = ANY.exec(code);
  if (loose !== null) report(loose.index, 'the type any');
  const assertion = /[\w)\]]!(?=[.;,)\]}[]|\s*$)/m.exec(code);
  if (assertion !== null) report(assertion.index, 'a non-null assertion');
  if (path.startsWith('src/')) checkLayer(path, text, code, report);
  return findings;
}

type Report = (offset: number, message: string) => void;

function checkName(path: string, report: Report): void {
  const name = basename(path);
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.ts$/.test(name)) report(-1, 'is not named in kebab-case');
  if (VAGUE_NAMES.test(name)) report(-1, 'has a name that says nothing');
}

function checkLength(path: string, text: string, report: Report): void {
  const lines = text.split('\n').length - 1;
  const linesMax = LONG_FILES.has(path) ? LINES_LONG_MAX : LINES_MAX;
  if (lines > linesMax) report(-1, `has ${lines} lines; cut it (at most ${linesMax})`);
}

function checkLayer(path: string, text: string, code: string, report: Report): void {
  const folder = folderOf(path);
  const layer = LAYERS.find((candidate) => candidate.folder === folder);
  if (layer === undefined) {
    report(-1, `src/${folder} is not in the table of tools/layers.ts`);
    return;
  }
  const isFree = isTest(path);
  const isOutside = OUTSIDE_LAYERS.includes(folder) || OUTSIDE_EXCEPTIONS.has(path);
  for (const match of text.matchAll(IMPORT)) {
    const target = match[1] ?? match[2] ?? match[3];
    const file = target.startsWith('.') ? join(dirname(path), target) : undefined;
    if (file !== undefined && !file.startsWith('src/')) {
      if (!isFree) report(match.index, `imports ${target}, which is outside src`);
      continue;
    }
    const other = file === undefined ? undefined : folderOf(file);
    if (other === folder) continue;
    if (other === undefined) {
      if (isFree) continue;
      if (target.startsWith('node:')) {
        if (!isOutside && OUTSIDE_MODULES.test(target)) report(match.index, `imports ${target}; only src/io may`);
      } else if (!layer.packages.includes(target)) report(match.index, `src/${folder} may not import ${target}`);
    } else if (!isFree && !layer.mayImport.includes(other)) {
      report(match.index, `src/${folder} may not import src/${other}`);
    } else if (folder === TEST_LAYER && !/\.test\.ts$/.test(path) && !layer.mayImport.includes(other)) {
      report(match.index, `src/${folder} may not import src/${other}`);
    }
  }
  if (isOutside || /(?:\.test|-fixture)\.ts$/.test(path)) return;
  for (const match of code.matchAll(OUTSIDE_GLOBALS))
    report(match.index, `uses ${match[0]}; only src/io and src/cli may`);
}

/** The same length and lines, with comments and the contents of strings blanked. Templates stay: code may be in them. */
export function withoutCommentsAndStrings(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<![:\\/])\/\/[^\n]*|(?<=[=(,:]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//g,
    blank,
  );
}
