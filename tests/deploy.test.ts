// The manifests in deploy/ grant what the scheduler says it needs, and start it with flags that it has.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { scheduleCommand } from '../src/cli/schedule.ts';
import { NEEDED_RIGHTS } from '../src/kube-api/needed-rights.ts';

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly Rule[];
  readonly spec?: {
    readonly template?: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } };
  };
}

function manifestsIn(name: string): readonly Manifest[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'deploy', name), 'utf8');
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as Manifest;
  });
}

function rulesOf(name: string): readonly Rule[] {
  return (
    manifestsIn('rbac.yaml').find(({ metadata, kind }) => kind.endsWith('Role') && metadata.name === name)?.rules ?? []
  );
}

it('the ClusterRole grants all rights that the scheduler asks for', () => {
  const rules = rulesOf('k1m-schedule');
  for (const { verb, group, resource, subresource } of NEEDED_RIGHTS) {
    const full = subresource === '' ? resource : `${resource}/${subresource}`;
    const isGranted = rules.some(
      ({ apiGroups = [], resources = [], verbs }) =>
        apiGroups.includes(group) && resources.includes(full) && verbs.includes(verb),
    );
    assert.ok(isGranted, `${verb} ${full} in group ${JSON.stringify(group)}`);
  }
});

it('no role grants everything of anything', () => {
  for (const { rules = [] } of manifestsIn('rbac.yaml')) {
    for (const { apiGroups = [], resources = [], verbs } of rules) {
      assert.ok(![...apiGroups, ...resources, ...verbs].some((text) => text.includes('*')));
    }
  }
});

it('the Deployment starts the scheduler with flags that it has', () => {
  const [{ spec }] = manifestsIn('deployment.yaml');
  const [command, ...flags] = spec?.template?.spec.containers[0].args ?? [];
  assert.equal(command, 'schedule');
  const known = scheduleCommand().options.map(({ long }) => long);
  for (const flag of flags) assert.ok(known.includes(flag.split('=')[0]), flag);
});
