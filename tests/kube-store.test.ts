// A scheduler's view of the cluster at the store (src/kube-store), on our server in simulated time: collections followed over compactions and
// restarts, pods bound against other writers, and what the store alone cannot do.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { EtcdClient } from '../src/client/etcd-client.ts';
import { keyBytes } from '../src/client/key-range.ts';
import { MessageDecoder, type PlainObject } from '../src/kube/message-decoder.ts';
import { MessageEncoder } from '../src/kube/message-encoder.ts';
import { readEnvelope, storedObject } from '../src/kube/stored-object.ts';
import type { JsonObject, KubeApi, PodToBind, ReflectHandler, WriteOutcome } from '../src/kube-api/kube-api.ts';
import { headOf, keyOf } from '../src/kube-api/object-head.ts';
import { StoreKubeApi } from '../src/kube-store/store-kube-api.ts';
import { SimulatedServer } from './compat/server-fixture.ts';

const RUNS = Number(process.env.K1M_RUNS ?? 15);
const PORT = 2379;
const ENDPOINT = `http://127.0.0.1:${PORT}`;
const FOLDER = '/registry/pods/default/';
const encoder = new MessageEncoder();

function podBytes(name: string, uid: string, rest: PlainObject = {}): Uint8Array {
  const pod = { metadata: { name, namespace: 'default', uid }, spec: { schedulerName: 's' }, status: {}, ...rest };
  return storedObject('v1', 'Pod', (writer) => encoder.encode('Pod', pod, writer));
}

function decoded(value: Uint8Array): JsonObject {
  const { kind, rawStart, rawEnd } = readEnvelope(value);
  return new MessageDecoder().decode(kind, value, rawStart, rawEnd) ?? {};
}

/** What a handler has been told, checked as it comes. */
class Heard implements ReflectHandler {
  /** Uid and version by name. */
  readonly objects = new Map<string, string>();
  readonly problems: string[] = [];
  syncs = 0;

  onSet(object: JsonObject): void {
    const head = headOf(object);
    assert(head !== undefined);
    const told = this.objects.get(keyOf(head));
    assert.notEqual(told, `${head.uid} ${head.resourceVersion}`, 'told twice');
    assert(told === undefined || told.split(' ')[0] === head.uid, 'recreated without a deletion');
    this.objects.set(keyOf(head), `${head.uid} ${head.resourceVersion}`);
  }

  onDeleted({ namespace, name, uid }: { namespace: string; name: string; uid: string }): void {
    const key = keyOf({ namespace, name });
    assert.equal(this.objects.get(key)?.split(' ')[0], uid);
    this.objects.delete(key);
  }

  onSynced(): void {
    this.syncs++;
  }

  onProblem(text: string): void {
    this.problems.push(text);
  }
}

describe('a cluster at the store', () => {
  let server: SimulatedServer;
  let client: EtcdClient;
  let api: StoreKubeApi;

  async function start(seed: number, behind?: Partial<KubeApi>): Promise<void> {
    server = await SimulatedServer.open(seed, { listen: [{ host: '127.0.0.1', port: PORT }] });
    const { network, clock } = server;
    client = new EtcdClient({ network, clock, endpoints: [ENDPOINT], random: () => 0.5 });
    const options = { client, clock, prefix: '/registry', chance: () => 0.5 };
    // A scheduler calls no others.
    api = new StoreKubeApi({ ...options, ...(behind === undefined ? {} : { api: behind as KubeApi }) });
  }

  function drive<T>(promise: Promise<T>): Promise<T> {
    return server.drive(promise);
  }

  async function put(name: string, value: Uint8Array): Promise<string> {
    const { header } = await drive(client.put(FOLDER + name, value));
    return String(header?.revision);
  }

  async function stored(name: string): Promise<JsonObject> {
    const kv = await drive(client.get(FOLDER + name));
    assert(kv !== undefined);
    return decoded(kv.value);
  }

  function pod(name: string, resourceVersion?: string): PodToBind {
    const identity = { namespace: 'default', name, uid: `uid-${name}` };
    return resourceVersion === undefined ? identity : { ...identity, resourceVersion };
  }

  /** What is in the store, as a handler should have heard it. */
  async function listed(): Promise<Map<string, string>> {
    const { kvs } = await drive(
      client.range({ key: keyBytes(FOLDER), range_end: keyBytes('/registry/pods/default0') }),
    );
    return new Map(
      kvs.map(({ value, mod_revision }) => {
        const head = headOf({
          metadata: { ...Object(decoded(value).metadata), resourceVersion: String(mod_revision) },
        });
        assert(head !== undefined);
        return [keyOf(head), `${head.uid} ${mod_revision}`];
      }),
    );
  }

  /** While the watch is away and waits to come back, a pod goes, another comes, and the history of both is compacted. */
  async function missed(gone: string, changed: string, uid: string): Promise<void> {
    server.kill();
    await settle(50);
    await server.start();
    const { network, clock } = server;
    const other = new EtcdClient({ network, clock, endpoints: [ENDPOINT], random: () => 0.5 });
    await drive(other.deleteRange({ key: keyBytes(FOLDER + gone) }));
    const { header } = await drive(other.put(FOLDER + changed, podBytes(changed, uid)));
    await drive(other.compact(header?.revision ?? 0));
    other.close();
  }

  async function settle(ms = 500): Promise<void> {
    await server.clock.pass(ms);
  }

  beforeEach(() => start(1));
  afterEach(async () => {
    await api.close();
    await server.close();
  });

  it('is listed and followed', async () => {
    await put('a', podBytes('a', 'uid-a'));
    const heard = new Heard();
    const reflection = api.reflect('pods', heard);
    await settle();
    assert.equal(heard.syncs, 1);
    await put('b', podBytes('b', 'uid-b'));
    await put('a', podBytes('a', 'uid-a', { status: { phase: 'Running' } }));
    await settle();
    assert.deepEqual(heard.objects, await listed());
    assert.equal(heard.objects.size, 2);
    await drive(client.deleteRange({ key: keyBytes(`${FOLDER}a`) }));
    await settle();
    assert.deepEqual([...heard.objects.keys()], ['default/b']);
    assert.deepEqual([reflection.size, reflection.counts.lists, heard.problems], [1, 1, []]);
  });

  it('leaves out pods whose phase is not wanted', async () => {
    const heard = new Heard();
    api.reflect('pods', heard, { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' });
    await put('a', podBytes('a', 'uid-a', { status: { phase: 'Failed' } }));
    await put('b', podBytes('b', 'uid-b'));
    await settle();
    assert.deepEqual([...heard.objects.keys()], ['default/b']);
    await put('b', podBytes('b', 'uid-b', { status: { phase: 'Succeeded' } }));
    await settle();
    assert.deepEqual(heard.objects.size, 0);
    assert.throws(() => api.reflect('pods', heard, { fieldSelector: 'spec.nodeName=' }), RangeError);
  });

  it('tells what cannot be read by its name, and goes on', async () => {
    await put('broken', Buffer.from('k8s\0\xff\xff', 'latin1'));
    await put('secret', Buffer.from('k8s:enc:aescbc:v1:key:…'));
    await put(
      'text',
      Buffer.from(JSON.stringify({ metadata: { namespace: 'default', name: 'text', uid: 'uid-text' } })),
    );
    const heard = new Heard();
    api.reflect('pods', heard);
    await settle();
    assert.deepEqual([...heard.objects.keys()], ['default/text']);
    assert.equal(heard.problems.length, 2);
    assert.match(heard.problems[0], /^pods: skipped default\/broken: it is damaged/);
    assert.match(heard.problems[1], /^pods: skipped default\/secret: it is encrypted by the API server$/);
  });

  it('is the same after restarts, compactions and writes by others, in any order', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constantFrom('set', 'delete', 'recreate', 'finish'), pod: fc.nat(4) }),
      fc.record({ kind: fc.constantFrom('restart', 'compact', 'wait'), pod: fc.constant(0) }),
      fc.record({ kind: fc.constant('miss'), pod: fc.nat(3) }),
    );
    let lists = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), fc.array(step, { maxLength: 25 }), async (seed, steps) => {
        await api.close();
        await server.close();
        await start(seed);
        const heard = new Heard();
        const reflection = api.reflect('pods', heard, { fieldSelector: 'status.phase!=Failed' });
        let generation = 0;
        for (const { kind, pod: number } of steps) {
          const name = `p${number}`;
          if (kind === 'set')
            await put(name, podBytes(name, `uid-${name}`, { status: { message: String(generation++) } }));
          else if (kind === 'delete') await drive(client.deleteRange({ key: keyBytes(FOLDER + name) }));
          else if (kind === 'recreate') {
            await drive(client.deleteRange({ key: keyBytes(FOLDER + name) }));
            await put(name, podBytes(name, `uid-${name}-${generation++}`));
          } else if (kind === 'finish') await put(name, podBytes(name, `uid-${name}`, { status: { phase: 'Failed' } }));
          else if (kind === 'compact') {
            const { header } = await drive(client.range({ key: keyBytes('/x') }));
            await drive(client.compact(header?.revision ?? 0)).catch(() => undefined);
          } else if (kind === 'wait') await settle(50);
          else if (kind === 'miss') await missed(name, `p${number + 1}`, `uid-${name}-${generation++}`);
          else {
            server.kill();
            await server.start();
          }
        }
        await settle(70_000);
        const wanted = await listed();
        for (const name of [...wanted.keys()]) {
          const { status } = await stored(name.slice('default/'.length));
          if (Object(status).phase === 'Failed') wanted.delete(name);
        }
        assert.deepEqual(heard.objects, wanted);
        assert.equal(heard.syncs, 1);
        lists += reflection.counts.lists;
      }),
      { numRuns: RUNS },
    );
    // Some had to list again.
    assert(lists > RUNS);
  });

  it('is followed again after an outage, which is told once and not by every collection', async () => {
    const heard = [new Heard(), new Heard(), new Heard()];
    const followed = (['pods', 'nodes', 'services'] as const).map((resource, i) => api.reflect(resource, heard[i]));
    await settle();
    server.kill();
    await settle(15_000);
    assert.equal(followed.filter(({ trouble }) => trouble !== undefined).length, 3);
    await server.start();
    await settle(20_000);
    assert.equal(followed.filter(({ trouble }) => trouble !== undefined).length, 0);
    const told = heard.flatMap(({ problems }) => problems);
    assert.match(told[0], /^the store cannot be reached: /);
    assert.match(told.at(-1) ?? '', /^the store: all is followed again after \d\d s$/);
    assert(told.length <= 3, told.join());
  });

  it('binds a pod once, at the version that was decided on', async () => {
    const version = await put('a', podBytes('a', 'uid-a'));
    assert.deepEqual(await drive(api.bind(pod('a', version), 'node-1')), { kind: 'bound' });
    const { spec, status } = await stored('a');
    assert.equal(Object(spec).nodeName, 'node-1');
    assert.equal(Object(status).conditions[0].type, 'PodScheduled');
    const again = await drive(api.bind(pod('a'), 'node-2'));
    assert.deepEqual(again, { kind: 'conflict', text: 'pod a is already assigned to node "node-1"' });
    const stale = await drive(api.bind(pod('a', version), 'node-2'));
    assert(stale.kind === 'conflict' && /^Precondition failed: ResourceVersion in precondition: /.test(stale.text));
    const other = await drive(api.bind({ ...pod('a'), uid: 'uid-b' }, 'node-2'));
    assert.equal(other.kind, 'gone');
    assert.deepEqual(await drive(api.bind(pod('c'), 'node-2')), { kind: 'gone', text: 'pods "c" not found' });
  });

  it('binds by the bytes of the last event, and reads where somebody was faster', async () => {
    const heard = new Heard();
    api.reflect('pods', heard);
    const version = await put('a', podBytes('a', 'uid-a'));
    await settle();
    // What the reflection has not been told of yet.
    const promise = api.bind(pod('a'), 'node-1');
    await put('a', podBytes('a', 'uid-a', { metadata: { name: 'a', uid: 'uid-a', labels: { new: 'yes' } } }));
    assert.deepEqual(await drive(promise), { kind: 'bound' });
    assert.notEqual(version, '');
    const ranges = api.requestCounts().find(({ verb }) => verb === 'range');
    assert.equal(ranges, undefined);
  });

  it('binds of many at once each pod to one node', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
    const heard = new Heard();
    api.reflect('pods', heard);
    for (const name of names) await put(name, podBytes(name, `uid-${name}`));
    await settle();
    const outcomes = await drive(
      Promise.all(names.flatMap((name) => [api.bind(pod(name), 'node-1'), api.bind(pod(name), 'node-2')])),
    );
    for (let i = 0; i < names.length; i++) {
      const kinds = [outcomes[2 * i].kind, outcomes[2 * i + 1].kind].sort();
      assert.deepEqual(kinds, ['bound', 'conflict']);
    }
  });

  describe('with a Lease', () => {
    const LEASE = { namespace: 'kube-system', name: 'kube-scheduler' };
    const LEASE_KEY = '/registry/leases/kube-system/kube-scheduler';
    const SPEC = { leaseDurationSeconds: 15, acquireTime: '', renewTime: '', leaseTransitions: 0 };
    /** As the API server would read it. */
    let holder: string;
    let version: string;
    let reads: number;
    let isThere: boolean;

    async function write(holderIdentity: string): Promise<WriteOutcome> {
      if (isThere) {
        const { header } = await client.put(LEASE_KEY, holderIdentity);
        version = String(header?.revision);
      } else version = '77';
      holder = holderIdentity;
      return { kind: 'done', object: leaseObject() };
    }

    function leaseObject(): JsonObject {
      const metadata = { ...LEASE, uid: 'uid-lease', resourceVersion: version };
      return { metadata, spec: { ...SPEC, holderIdentity: holder } };
    }

    beforeEach(async () => {
      await api.close();
      await server.close();
      isThere = true;
      reads = 0;
      await start(1, {
        createLease: (_, { holderIdentity }) => write(holderIdentity),
        updateLease: (_, { holderIdentity }) => write(holderIdentity),
        readLease: async () => {
          reads++;
          return { kind: 'found', object: leaseObject() };
        },
        close: async () => {},
      });
    });

    const lead = (): Promise<WriteOutcome> => drive(api.updateLease(LEASE, { ...SPEC, holderIdentity: 'me' }, ''));

    it('binds nothing once another one has it', async () => {
      await put('a', podBytes('a', 'uid-a'));
      await drive(api.createLease(LEASE, { ...SPEC, holderIdentity: 'me' }));
      await drive(write('another'));
      const outcome = await drive(api.bind(pod('a'), 'node-1'));
      assert.deepEqual(outcome, { kind: 'unreachable', text: 'another scheduler leads: another' });
      assert.equal(Object((await stored('a')).spec).nodeName, undefined);
      await lead();
      assert.deepEqual(await drive(api.bind(pod('a'), 'node-1')), { kind: 'bound' });
    });

    it('binds again after a renewal that it had not heard of, or was about to hear of', async () => {
      for (const name of ['a', 'b']) await put(name, podBytes(name, `uid-${name}`));
      await lead();
      await drive(write('me'));
      assert.deepEqual(await drive(api.bind(pod('a'), 'node-1')), { kind: 'bound' });
      assert.equal(reads, 1);
      // The renewal is in the store before its answer is here.
      const renewal = api.updateLease(LEASE, { ...SPEC, holderIdentity: 'me' }, '');
      const binding = api.bind(pod('b'), 'node-1');
      assert.deepEqual(await drive(binding), { kind: 'bound' });
      await drive(renewal);
      assert.equal(reads, 1);
    });

    it('reads it once for all bindings that are lost together', async () => {
      const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
      for (const name of names) await put(name, podBytes(name, `uid-${name}`));
      await lead();
      await drive(write('another'));
      const outcomes = await drive(Promise.all(names.map((name) => api.bind(pod(name), 'node-1'))));
      assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['unreachable']));
      assert(reads < 5, String(reads));
    });

    it('binds without it where Leases are in another store', async () => {
      for (const name of ['a', 'b']) await put(name, podBytes(name, `uid-${name}`));
      isThere = false;
      await lead();
      assert.deepEqual(await drive(api.bind(pod('a'), 'node-1')), { kind: 'bound' });
      assert.deepEqual(await drive(api.bind(pod('b'), 'node-1')), { kind: 'bound' });
      assert.equal(reads, 1);
    });
  });

  it('hands what is encrypted or JSON to the API server, if there is one', async () => {
    const name = 'text';
    await put(name, Buffer.from(JSON.stringify({ metadata: { namespace: 'default', name, uid: 'uid-text' } })));
    const alone = await drive(api.bind(pod(name), 'node-1'));
    assert(alone.kind === 'refused' && /stored form is json: give the API server by --kubeconfig$/.test(alone.text));
    await api.close();
    await server.close();
    const bound: string[] = [];
    let told: ReflectHandler | undefined;
    await start(2, {
      bind: async ({ name: podName }, nodeName) => {
        bound.push(`${podName} ${nodeName}`);
        return { kind: 'bound' };
      },
      reflect: (resource, handler) => {
        told = handler;
        const counts = { lists: 0, watches: 0, events: 0, stale: 0, malformed: 0, failures: 0 };
        return { resource, isSynced: true, trouble: undefined, size: 0, counts, close: () => {} };
      },
      close: async () => {},
    });
    await put('a', podBytes('a', 'uid-a'));
    await put('b', podBytes('b', 'uid-b'));
    await put('secret', Buffer.from('k8s:enc:aescbc:v1:key:…'));
    assert.deepEqual(await drive(api.bind(pod('secret'), 'node-1')), { kind: 'bound' });
    assert.deepEqual(bound, ['secret node-1']);
    const heard = new Heard();
    api.reflect('pods', heard);
    await settle();
    assert.match(heard.problems[0], /^pods: encrypted in the store; followed through the API server from now on$/);
    assert.equal(heard.syncs, 0);
    const metadata = { namespace: 'default', name: 'secret', uid: 'uid-secret', resourceVersion: '9' };
    told?.onSet({ metadata });
    told?.onSynced();
    // The API's list has neither of the others.
    assert.deepEqual([[...heard.objects], heard.syncs], [[['default/secret', 'uid-secret 9']], 1]);
  });

  it('writes conditions of pods at the store, once, and refuses what it cannot', async () => {
    await put('a', podBytes('a', 'uid-a'));
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' } as const;
    const patch = (): Promise<unknown> => drive(api.patchPodStatus(pod('a'), { conditions: [condition] }));
    await patch();
    const before = (await drive(client.get(`${FOLDER}a`)))?.mod_revision;
    await patch();
    assert.equal((await drive(client.get(`${FOLDER}a`)))?.mod_revision, before);
    assert.equal(Object((await stored('a')).status).conditions[0].message, '0/1 nodes');
    const gone = await drive(api.patchPodStatus({ ...pod('a'), uid: 'x' }, { conditions: [condition] }));
    assert.equal(gone.kind, 'gone');
    const deletion = await drive(api.deletePod(pod('a')));
    assert(deletion.kind === 'refused' && /give the API server by --kubeconfig$/.test(deletion.text));
  });

  it('says that it may have happened when the store does not answer', async () => {
    await put('a', podBytes('a', 'uid-a'));
    api.reflect('pods', new Heard());
    await settle();
    const promise = api.bind(pod('a'), 'node-1');
    server.kill();
    const outcome = await drive(promise);
    assert.equal(outcome.kind, 'unknown');
    await server.start();
  });
});
