// `k1m version`: the version of this package, the API it serves, and the Node.js it runs on.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ETCD_VERSION } from '../etcd/maintenance-service.ts';

export function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const isManifest = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return isManifest ? String(manifest.version) : 'unknown';
}

export function versionCommand(): Command {
  return new Command('version').description('print the versions of k1m, the API and Node.js').action(() => {
    const { platform, arch, version: node } = process;
    process.stdout.write(`k1m ${version()}\netcd API ${ETCD_VERSION}\nNode.js ${node}\n${platform}/${arch}\n`);
  });
}
