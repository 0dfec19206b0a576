import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManifestError } from './errors.ts';
import { readManifests } from './manifest-file.ts';

function namesIn(text: string): string[] {
  return readManifests(text, 'f.yaml').map(({ kind, object }) => `${kind} ${Object(object.metadata).name}`);
}

describe('manifests', () => {
  it('come one after another, out of lists and lists in lists, in YAML and JSON', () => {
    const list = { kind: 'List', items: [{ kind: 'Pod', metadata: { name: 'b' } }] };
    assert.deepEqual(
      namesIn(
        '---\n# nothing\n---\nkind: Pod\nmetadata: {name: a}\n---\nkind: PodList\nitems: [{metadata: {name: c}}]\n',
      ),
      ['Pod a', 'Pod c'],
    );
    assert.deepEqual(namesIn(JSON.stringify({ kind: 'List', items: [list, list] })), ['Pod b', 'Pod b']);
    assert.deepEqual(namesIn('{kind: Node, metadata: {name: n1}}'), ['Node n1']);
    assert.deepEqual(namesIn(''), []);
  });

  const REFUSED: readonly (readonly [string, RegExp])[] = [
    ['a: [', /^error parsing f.yaml: /],
    ['- 1', /^error parsing f.yaml: a document is not an object$/],
    ['metadata: {name: a}', /^error validating f.yaml: Object 'Kind' is missing$/],
    ['kind: PodList', /^error validating f.yaml: PodList has no items$/],
    ['kind: List\nitems: [1]', /^error parsing f.yaml: a document is not an object$/],
  ];
  for (const [text, expected] of REFUSED) {
    it(`are refused with a reason: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => readManifests(text, 'f.yaml'),
        (error) => error instanceof ManifestError && expected.test(error.message),
      );
    });
  }

  it('do not grow without bound from aliases', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (let i = 0; i < 9; i++) {
      const [name, before] = [String.fromCharCode(98 + i), String.fromCharCode(97 + i)];
      bomb.push(`${name}: &${name} [${Array.from({ length: 10 }, () => `*${before}`).join(', ')}]`);
    }
    assert.throws(() => readManifests(`kind: Pod\n${bomb.join('\n')}`, 'f.yaml'));
  });
});
