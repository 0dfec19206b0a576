/**
 * Our reading and writing of stored Kubernetes objects, with a real kube-apiserver on `k1m serve`.
 *
 *   node conformance/kube-store.ts [--fixture]
 *
 * One object of each kind that a scheduler follows is created through the API. Its bytes in the store are decoded: that must be the JSON
 * that the API server shows. Encoded again they must be the same bytes. Then two pods alike are bound, one through the API and one at the store: all
 * that clients of the API server see of them, by reading, listing, watching and kubectl, must be the same, and so must be what is refused.
 * `--fixture` writes the objects to src/kube/stored-objects-fixture.json, for the
 * unit tests.
 *
 * Exits with 0 when all holds, 1 when something does not.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { RealClock } from '../src/io/clock.ts';
import { TcpNetwork } from '../src/io/tcp-network.ts';
import { MessageDecoder } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { readEnvelope, storedObject } from '../src/kube/stored-object.ts';
import { StoreKubeApi } from '../src/kube-store/store-kube-api.ts';
import { bindBothWays } from './kube-store/binding.ts';
import { SAMPLES } from './kube-store/objects.ts';
import type { ControlPlane } from './kubernetes/control-plane.ts';
import { openPlane } from './kubernetes/open-plane.ts';
import { Children } from './lab/child.ts';
import { requirePeers } from './lab/peer-path.ts';
import { runMain } from './lab/run-main.ts';

const fixturePath = join(import.meta.dirname, '..', 'src', 'kube', 'stored-objects-fixture.json');
/** Admission that other controllers would have to answer. */
const disabledAdmission =
  '--disable-admission-plugins=TaintNodesByCondition,ServiceAccount,StorageObjectInUseProtection';

interface Captured {
  readonly key: string;
  readonly json: unknown;
  /** In base64. */
  readonly stored: string;
}

async function capture(plane: ControlPlane, store: EtcdClient): Promise<Captured[]> {
  const decoder = new MessageDecoder();
  const encoder = new MessageEncoder();
  const captured: Captured[] = [];
  for (const { path, object, key, atReading } of SAMPLES) {
    const { name } = Object(object.metadata);
    await plane.client.create(path, object);
    const json = await plane.client.get(`${path}/${name}`);
    const pair = await store.get(`/registry/${key}`);
    assert.ok(pair !== undefined, `/registry/${key} is not in the store`);
    const { apiVersion, kind, rawStart, rawEnd } = readEnvelope(pair.value);
    const decoded = decoder.decode(kind, pair.value, rawStart, rawEnd);
    assert.ok(decoded !== undefined, `${kind} is not in the table`);
    const metadata = { ...Object(decoded.metadata), resourceVersion: String(pair.mod_revision) };
    assert.deepEqual({ kind, apiVersion, ...decoded, metadata, ...atReading }, json, key);
    const again = storedObject(apiVersion, kind, (writer) => encoder.encode(kind, decoded, writer));
    assert.deepEqual(Buffer.from(again).toString('latin1'), Buffer.from(pair.value).toString('latin1'), key);
    captured.push({ key, json, stored: Buffer.from(pair.value).toString('base64') });
    process.stdout.write(`${key}: ${pair.value.length} bytes\n`);
  }
  return captured;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { fixture: { type: 'boolean', default: false } } });
  requirePeers(['kube-apiserver', 'kubectl']);
  const folder = mkdtempSync(join(tmpdir(), 'k1m-kube-store-'));
  const children = new Children(folder);
  const clock = new RealClock();
  try {
    const { plane, subject } = await openPlane({ children, folder, apiServerArgs: [disabledAdmission] });
    const store = new EtcdClient({ network: new TcpNetwork(), clock, endpoints: [subject.endpoint] });
    const captured = await capture(plane, store);
    if (values.fixture) writeFileSync(fixturePath, `${JSON.stringify(captured, null, 1)}\n`);
    const atStore = new StoreKubeApi({ client: store, clock, prefix: '/registry', chance: Math.random });
    await bindBothWays(plane, store, atStore);
    await atStore.close();
    plane.client.close();
    return 0;
  } finally {
    for (const problem of await children.endAll(['kube-apiserver'])) process.stdout.write(`${problem}\n`);
    rmSync(folder, { recursive: true, force: true });
  }
}

await runMain(main);
