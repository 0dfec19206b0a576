// `npm run check:tidy`: the house rules over the whole checkout. Prints what it finds, one line each, and exits with 1.

import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { checkComments, checkLayerTable, checkPage, type Tree } from './doc-rules.ts';
import type { Finding } from './finding.ts';
import { LAYERS, LONG_FILES, OUTSIDE_EXCEPTIONS } from './layers.ts';
import { checkSource } from './source-rules.ts';

const SOURCES = ['src', 'tests', 'tools', 'conformance', 'bench'].map((folder) => `${folder}/**/*.ts`);
const PAGES = ['*.md', 'docs/**/*.md', 'conformance/**/*.md', 'bench/**/*.md'];
const RUNTIME_DEPENDENCIES_PAGE = /^docs\/decisions\/\d{4}-/;

const tree: Tree = { exists: existsSync, read: (path) => readFileSync(path, 'utf8') };

function list(patterns: readonly string[]): string[] {
  return globSync(patterns, { exclude: ['**/node_modules/**'] })
    .filter((path) => statSync(path).isFile())
    .sort();
}

function checkTable(): Finding[] {
  const findings: Finding[] = [];
  const report = (text: string): void => {
    findings.push({ file: 'tools/layers.ts', line: 0, text });
  };
  LAYERS.forEach(({ folder, mayImport }, i) => {
    for (const other of mayImport) {
      if (!LAYERS.slice(0, i).some((layer) => layer.folder === other)) {
        report(`src/${folder} imports src/${other}, which does not stand above it`);
      }
    }
  });
  for (const path of [...LONG_FILES.keys(), ...OUTSIDE_EXCEPTIONS.keys()]) {
    if (!existsSync(path)) report(`names ${path}, which does not exist`);
  }
  return findings;
}

/** Every runtime dependency has its reason under docs/decisions. */
function checkDependencies(pages: readonly string[]): Finding[] {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies?: Record<string, string> };
  const decisions = pages.filter((path) => RUNTIME_DEPENDENCIES_PAGE.test(path)).map((path) => tree.read(path));
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => !decisions.some((text) => text.includes(`\`${name}\``)))
    .map((name) => ({ file: 'package.json', line: 0, text: `${name} has no page in docs/decisions` }));
}

function checkAll(): { findings: Finding[]; files: number } {
  const sources = list(SOURCES);
  const pages = list(PAGES);
  const findings = [...checkTable(), ...checkDependencies(pages)];
  for (const path of sources) {
    const text = tree.read(path);
    findings.push(...checkSource(path, text), ...checkComments(path, text, tree));
  }
  for (const path of pages) findings.push(...checkPage(path, tree.read(path), tree));
  findings.push(...checkLayerTable(tree.read('ARCHITECTURE.md')));
  return { findings, files: sources.length + pages.length };
}

const { findings, files } = checkAll();
for (const { file, line, text } of findings) {
  process.stdout.write(`${file}${line === 0 ? '' : `:${line}`}: ${text}\n`);
}
process.stdout.write(`tidy: ${files} files, ${findings.length} findings\n`);
process.exitCode = findings.length === 0 ? 0 : 1;
