import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readManifests } from '../scheduler/inquiry/manifest-file.ts';
import { templatesIn, type WeightedTemplate } from './manifest-templates.ts';

const POD_SPEC = '{ containers: [{ name: a, image: "a:1" }] }';

function templates(text: string): readonly WeightedTemplate[] {
  return templatesIn(readManifests(text, 'pods.yaml'));
}

describe('templates of manifests', () => {
  it('come as often as their controllers would make pods at once', () => {
    const text = `
kind: Pod
metadata: { name: one, labels: { app: one }, annotations: { k: v } }
spec: ${POD_SPEC}
---
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { replicas: 4, template: { metadata: { labels: { app: web } }, spec: ${POD_SPEC} } }
---
kind: Deployment
metadata: { name: resting }
spec: { replicas: 0, template: { spec: ${POD_SPEC} } }
---
kind: Job
metadata: { name: sum }
spec: { parallelism: 5, completions: 3, template: { spec: ${POD_SPEC} } }
---
kind: CronJob
metadata: { name: nightly }
spec: { jobTemplate: { spec: { template: { spec: ${POD_SPEC} } } } }
`;
    const found = templates(text);
    assert.deepEqual(
      found.map(({ weight, template: { labels, annotations, namespace } }) => ({
        weight,
        labels,
        annotations,
        namespace,
      })),
      [
        { weight: 1, labels: { app: 'one' }, annotations: { k: 'v' }, namespace: undefined },
        { weight: 4, labels: { app: 'web' }, annotations: {}, namespace: 'shop' },
        { weight: 3, labels: {}, annotations: {}, namespace: undefined },
        { weight: 1, labels: {}, annotations: {}, namespace: undefined },
      ],
    );
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['a kind that makes no pods', 'kind: Service\nmetadata: { name: s }', /^kind Service makes no pods$/],
    [
      'a kind whose pods the nodes say',
      `kind: DaemonSet\nmetadata: { name: d }\nspec: { template: { spec: ${POD_SPEC} } }`,
      /^DaemonSet default\/d: how many pods it has is up to the nodes$/,
    ],
    ['nothing', '# nothing\n', /^the manifests come to no pods$/],
    [
      'more than a round may have',
      `kind: Deployment\nmetadata: { name: d }\nspec: { replicas: 100001, template: { spec: ${POD_SPEC} } }`,
      /^the manifests come to 100001 pods; 100000 are the most$/,
    ],
    [
      'a field that no API server knows, deep inside',
      'kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, livenessProbe: { httpGet: { prt: 1 } } }] }',
      /^Pod default\/p: strict decoding error: unknown field "spec\.containers\[0\]\.livenessProbe\.httpGet\.prt"$/,
    ],
    [
      'a pod without containers',
      'kind: Pod\nmetadata: { name: p }\nspec: {}',
      /^Pod default\/p: spec\.containers: Required value$/,
    ],
    [
      'a value of another type',
      'kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, terminationMessagePath: 1 }] }',
      /^Pod default\/p: terminationMessagePath: a string is expected$/,
    ],
    [
      'text that the lab puts numbers in place of',
      'kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, image: "a:v7390264" }] }',
      /^Pod default\/p: the lab puts numbers in place of the text 7390264$/,
    ],
    [
      'an amount that is none',
      'kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, resources: { requests: { cpu: many } } }] }',
      /^Pod default\/p: spec\.containers\[0\]\.resources\.requests\.cpu: /,
    ],
    [
      'a limit that is no amount',
      `kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, resources: { requests: { cpu: 1 }, limits: { cpu: many } } }] }`,
      /^Pod default\/p: spec\.containers\[0\]\.resources\.limits\.cpu: /,
    ],
    [
      'such a limit of the pod',
      'kind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a }], resources: { requests: { cpu: 1 }, limits: { cpu: x } } }',
      /^Pod default\/p: spec\.resources\.limits\.cpu: /,
    ],
  ];
  for (const [name, text, message] of refused) {
    it(`are not made of ${name}`, () => assert.throws(() => templates(text), { name: 'ManifestError', message }));
  }
});
