/**
 * The store's own history of pods and nodes, from the first revision on, by one watch that outlives the store's deaths. In the order of
 * the store, as `src/testing/placement-checker.ts` wants it.
 */
import type { Event } from '../../src/api/messages.ts';
import { EtcdClient } from '../../src/client/etcd-client.ts';
import { RealClock } from '../../src/io/clock.ts';
import { TcpNetwork } from '../../src/io/tcp-network.ts';
import { MessageDecoder, type PlainObject } from '../../src/kube/message-decoder.ts';
import { formOf, readEnvelope } from '../../src/kube/stored-object.ts';
import { isObject } from '../../src/kube-api/object-head.ts';
import type { PlacementChange } from '../../src/testing/placement-history.ts';
import { until } from '../lab/wait.ts';

const NODES = '/registry/minions/';
const PODS = '/registry/pods/';
/** Both, and little in between. */
const FIRST_KEY = Buffer.from(NODES);
const END_KEY = Buffer.from('/registry/pods0');
const EVENT_DELETE = 1;
const caughtUpMsMax = 30_000;

export class Witness {
  readonly changes: PlacementChange[] = [];
  readonly #client: EtcdClient;
  readonly #decoder = new MessageDecoder(['ObjectMeta.managedFields']);
  readonly #watch: ReturnType<EtcdClient['watch']>;
  #revision = 0;
  /** Uids of pods that have been bound. */
  readonly #bound = new Set<string>();
  #failure: string | undefined;

  constructor(endpoint: string) {
    this.#client = new EtcdClient({ network: new TcpNetwork(), clock: new RealClock(), endpoints: [endpoint] });
    this.#watch = this.#client.watch(
      { key: FIRST_KEY, rangeEnd: END_KEY, startRevision: 1 },
      {
        onEvents: (events) => {
          for (const event of events) this.#take(event);
        },
        onProgress: (revision) => {
          this.#revision = Math.max(this.#revision, revision);
        },
        onEnd: (error, compactRevision) => {
          this.#failure = `the history is not whole: ${error?.message ?? 'ended'}, compacted at ${compactRevision}`;
        },
      },
    );
  }

  /** The newest revision seen. */
  get revision(): number {
    return this.#revision;
  }

  get boundCount(): number {
    return this.#bound.size;
  }

  /** Resolves when everything up to now has been seen. */
  async catchUp(): Promise<void> {
    const { header } = await this.#client.status({ timeoutMs: caughtUpMsMax });
    const target = header?.revision ?? 0;
    await until(`the history up to ${target}`, { timeoutMs: caughtUpMsMax }, () => {
      if (this.#failure !== undefined) throw new Error(this.#failure);
      this.#watch.requestProgress();
      return this.#revision >= target || String(this.#revision);
    });
  }

  close(): void {
    this.#watch.cancel();
    this.#client.close();
  }

  #take({ type, kv }: Event): void {
    if (kv === undefined) return;
    const key = Buffer.from(kv.key).toString();
    const { mod_revision: revision } = kv;
    this.#revision = revision;
    const kind = key.startsWith(PODS) ? 'pod' : 'node';
    if (kind === 'node' && !key.startsWith(NODES)) return;
    const object = type === EVENT_DELETE ? undefined : this.#objectOf(key, kv.value);
    if (isObject(object?.spec) && object.spec.nodeName !== undefined && isObject(object.metadata)) {
      this.#bound.add(String(object.metadata.uid));
    }
    this.changes.push({ revision, timeMs: performance.now(), kind, key, object });
  }

  #objectOf(key: string, value: Uint8Array): PlainObject | undefined {
    if (formOf(value) !== 'protobuf') throw new Error(`${key} is stored as ${formOf(value)}`);
    const { kind, rawStart, rawEnd } = readEnvelope(value);
    return this.#decoder.decode(kind, value, rawStart, rawEnd);
  }
}
