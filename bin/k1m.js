#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=65536 node --initial-old-space-size=256 --max-semi-space-size=16
// Starts k1m on a Node that can run it. On an older Node it hands over to the one that `npm ci` brought, or says what
// to install. Plain JavaScript without newer syntax: it has to run on Node 18.
//
// The first line tells V8 not to begin collecting for memory that is outside its heap, nor to let new objects take 128 MiB
// where 32 do as well, and the C library to give large blocks back to the operating system when they are freed.
// Everything works without it, with more memory or CPU.
//
// In a checkout, what Node makes of the TypeScript sources is kept beside the installed packages, where that may be written: the
// next start is a quarter of a second shorter and takes 30 MB less.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR_MIN = 24;
const GC_FLAGS = ['--initial-old-space-size=256', '--max-semi-space-size=16'];
const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'src', 'cli', 'main.ts');
const built = join(root, 'dist', 'cli', 'main.js');
const isCheckout = existsSync(join(root, 'tsconfig.json'));
const entry = isCheckout || !existsSync(built) ? source : built;

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  if (entry === source) module.enableCompileCache(join(root, 'node_modules', '.cache', 'k1m'));
  await import(pathToFileURL(entry).href);
} else {
  const own = join(root, 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(own)) {
    console.error(
      `k1m needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version}.\n` +
        'Install it from https://nodejs.org, or run "npm ci" in a checkout of k1m, which brings its own.',
    );
    process.exit(1);
  }
  // This process only waits; signals and the outcome are passed on.
  const child = spawn(own, [...GC_FLAGS, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => process.exit(code === null ? 1 : code));
}
