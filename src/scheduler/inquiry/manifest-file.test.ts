import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ManifestError } from './errors.ts';
import { isJsonText, readManifests, scanManifests } from './manifest-file.ts';

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

describe('a long list in JSON', () => {
  function namesOf(text: string, chunkBytes: number): string[] {
    const bytes = Buffer.from(text);
    const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
      bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
    );
    return [...scanManifests(chunks, 'f.json')].map(({ kind, object }) => `${kind} ${Object(object.metadata).name}`);
  }
  const item = (kind: string, name: string): object => ({ kind, metadata: { name }, note: '[{"items":[' });
  const LISTS: readonly (readonly [object, readonly string[]])[] = [
    [{ kind: 'List', items: [item('Pod', 'a'), item('Node', 'b')] }, ['Pod a', 'Node b']],
    [{ items: [item('Pod', 'a')], kind: 'List' }, ['Pod a']],
    [{ kind: 'PodList', items: [{ metadata: { name: 'a' } }, { metadata: { name: 'b' } }] }, ['Pod a', 'Pod b']],
    [{ kind: 'List', items: [] }, []],
    [item('Pod', 'alone'), ['Pod alone']],
  ];

  it('is read item by item as it is read whole, wherever it is cut', () => {
    for (const [list, names] of LISTS) {
      const text = JSON.stringify(list, null, 2);
      assert.ok(isJsonText(text));
      assert.deepEqual(namesIn(text), names);
      for (const bytes of [1, 3, 17, 100_000]) assert.deepEqual(namesOf(text, bytes), names);
    }
  });

  it('that is cut off, or holds what is no object, is refused', () => {
    for (const text of [
      '{"kind":"List","items":[{"kind":"Pod"}',
      '{"items":[1]}',
      '{"kind":"List","items":[{"a":x}]}',
    ]) {
      assert.throws(() => namesOf(text, 7), ManifestError);
    }
  });

  it('is told from YAML by its beginning', () => {
    for (const text of ['{kind: Pod}', 'kind: Pod', '- a', '', '{}']) assert.ok(!isJsonText(text), text);
  });
});
