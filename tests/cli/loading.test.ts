// A command loads its own file only: what one needs (the library of Kubernetes: 80 MB, half a second) is no burden to the others. Looked up in the
// sources: everything that is imported before anything runs.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const COMMANDS = new URL('../../src/cli/', import.meta.url);
const FROM = /^(?:import|export)\s(?!type\s)[^;]*?from '([^']+)';/gms;

/** The packages that the file needs, itself or through others; Node's own are left out. */
function packagesOf(file: URL, seen: Set<string> = new Set(), packages: Set<string> = new Set()): Set<string> {
  if (seen.has(file.href)) return packages;
  seen.add(file.href);
  for (const [, name] of readFileSync(file, 'utf8').matchAll(FROM)) {
    if (name.startsWith('.')) packagesOf(new URL(name, file), seen, packages);
    else if (!name.startsWith('node:')) packages.add(name);
  }
  return packages;
}

test('main.ts loads nothing but the parser of the command line, until it knows the command', () => {
  assert.deepEqual([...packagesOf(new URL('main.ts', COMMANDS))], ['commander']);
});

test('serve loads no client of Kubernetes, and no load generator', () => {
  const packages = packagesOf(new URL('serve.ts', COMMANDS));
  assert.deepEqual([...packages].sort(), ['commander', 'pino', 'prom-client', 'yaml']);
});

test('schedule loads neither what logs in by plugins nor what speaks HTTP/1.1 before it is needed', () => {
  const packages = packagesOf(new URL('schedule.ts', COMMANDS));
  assert.deepEqual([...packages].sort(), ['commander', 'pino', 'yaml']);
  assert.ok(
    packagesOf(new URL('../io/undici-http-client.ts', COMMANDS)).has('undici'),
    'the search finds it where it is',
  );
});
