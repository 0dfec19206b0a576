// The house rules for Markdown: links and named files exist, and ARCHITECTURE.md draws the layer table that is in force.

import { globSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { type Finding, lineAt } from './finding.ts';
import { LAYERS } from './layers.ts';

const LINK = /\]\(([^)\s]+)\)/g;
/** `src/…` and the like in backquotes, and docs/….md in comments. */
const CODE_REFERENCE = /`((?:src|tests|tools|conformance|bench|docs|bin|\.ci)\/[^`\s]*)`/g;
const COMMENT_REFERENCE = /\bdocs\/[a-z0-9/-]+\.md\b/g;

/** What the checks see of the checkout: whether a path exists, and the text of a page. */
export interface Tree {
  readonly exists: (path: string) => boolean;
  readonly read: (path: string) => string;
}

export function checkPage(path: string, text: string, tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const match of text.matchAll(LINK)) {
    const target = match[1];
    if (/^[a-z]+:/.test(target)) continue;
    const problem = linkProblem(path, target, tree);
    if (problem !== undefined) findings.push({ file: path, line: lineAt(text, match.index), text: problem });
  }
  for (const match of text.matchAll(CODE_REFERENCE)) {
    const name = match[1].replace(/[:#].*$/, '');
    if (/[<>…$]/.test(name) || globSync(name).length > 0) continue;
    findings.push({ file: path, line: lineAt(text, match.index), text: `names ${name}, which does not exist` });
  }
  return findings;
}

function linkProblem(page: string, target: string, tree: Tree): string | undefined {
  const [file, anchor] = target.split('#');
  const path = file === '' ? page : normalize(join(dirname(page), file));
  if (!tree.exists(path)) return `links to ${target}, which does not exist`;
  if (anchor === undefined || !path.endsWith('.md')) return undefined;
  return anchorsOf(tree.read(path)).has(anchor) ? undefined : `links to ${target}, but there is no such heading`;
}

/** Headings as GitHub makes anchors of them. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#+ +(.*)$/gm)) {
    const words = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '');
    anchors.add(words.trim().replaceAll(' ', '-'));
  }
  return anchors;
}

/** Pages that comments send the reader to. */
export function checkComments(path: string, text: string, tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const match of text.matchAll(COMMENT_REFERENCE)) {
    if (tree.exists(match[0])) continue;
    findings.push({ file: path, line: lineAt(text, match.index), text: `names ${match[0]}, which does not exist` });
  }
  return findings;
}

/** Rows of ARCHITECTURE.md: | `src/x` | `base`, `io` | packages | … | */
export function checkLayerTable(text: string): Finding[] {
  const rows = new Map<string, { line: number; mayImport: string; packages: string }>();
  for (const match of text.matchAll(/^\| `src\/([a-z0-9/-]+)` \|([^|]*)\|([^|]*)\|/gm)) {
    rows.set(match[1], { line: lineAt(text, match.index), mayImport: names(match[2]), packages: names(match[3]) });
  }
  const findings: Finding[] = [];
  const report = (line: number, message: string): void => {
    findings.push({ file: 'ARCHITECTURE.md', line, text: message });
  };
  for (const { folder, mayImport, packages } of LAYERS) {
    const row = rows.get(folder);
    if (row === undefined) {
      report(0, `the layer table has no row of src/${folder}`);
      continue;
    }
    if (row.mayImport !== mayImport.join(' ')) report(row.line, `src/${folder} may import: ${mayImport.join(', ')}`);
    if (row.packages !== packages.join(' ')) report(row.line, `src/${folder} may use: ${packages.join(', ')}`);
  }
  for (const [folder, { line }] of rows) {
    if (!LAYERS.some((layer) => layer.folder === folder)) report(line, `there is no layer src/${folder}`);
  }
  return findings;
}

function names(cell: string): string {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name).join(' ');
}
