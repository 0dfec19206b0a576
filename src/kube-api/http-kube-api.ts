// KubeApi over HTTP: lists and watches in protobuf, where the API server can, bindings and events in protobuf, all else in JSON. Each method is one request, its subject for the texts, and its outcome.

import type { Clock } from '../io/clock.ts';
import { MessageDecoder } from '../kube/message-decoder.ts';
import { ApiCaller, type CallerOptions, type ShortCall } from './api-caller.ts';
import { Backoff } from './backoff.ts';
import type { Reviewer, ReviewKind } from './delegated-access.ts';
import type {
  AccessProblem,
  BindOutcome,
  DoneOutcome,
  Failure,
  JsonObject,
  KubeApi,
  LeaseName,
  LeaseSpec,
  ObjectIdentity,
  PodStatusPatch,
  PodToBind,
  ReadOutcome,
  ReflectHandler,
  Reflection,
  ReflectOptions,
  RequestCount,
  SchedulerEvent,
  WriteOptions,
  WriteOutcome,
} from './kube-api.ts';
import { NEEDED_RIGHTS, type Right } from './needed-rights.ts';
import { ObjectApi, STRATEGIC_MERGE } from './object-api.ts';
import { isObject } from './object-head.ts';
import { type Answer, failureOf, isSuccess, parseObject, type RequestSubject } from './outcome.ts';
import { BodyEncoder } from './protobuf-bodies.ts';
import { PROTOBUF, PROTOBUF_OR_JSON } from './protobuf-stream.ts';
import { Reflector } from './reflector.ts';
import { deleteBody, eventBody, eventNamespace, leaseBody, podStatusBody, seriesBody } from './request-bodies.ts';
import { namespacePath, objectPath, qualifiedName, type ResourceName } from './resource.ts';

const TIMEOUT_MS = 30_000;
/** A leader has 10 s to renew (`--leader-elect-renew-deadline`): time for a second attempt. */
const URGENT_TIMEOUT_MS = 4_000;
/** As client-go repeats after 429. */
const REPEATS_MAX = 10;
const URGENT_REPEATS_MAX = 1;
/** Events of one millisecond that have names of their own. */
const ORDINALS = 1_000_000;

const BOUND: BindOutcome = { kind: 'bound' };
const DONE: DoneOutcome = { kind: 'done' };
const JSON_MERGE = 'application/merge-patch+json';

export interface HttpKubeApiOptions extends Omit<CallerOptions, 'decoder'> {
  /** 0 <= chance() < 1, for jitter. */
  readonly chance: () => number;
  /** Fields that nobody reads, as `MessageDecoder` takes them: objects that came in protobuf lack them. */
  readonly unreadFields?: readonly string[];
}

interface Call extends RequestSubject {
  readonly method: ShortCall['method'];
  readonly path: string;
  readonly body?: JsonObject | Uint8Array;
  readonly contentType?: string;
  readonly isUrgent?: boolean;
  readonly repeatsMax?: number;
  readonly deadlineMs?: number | undefined;
}

export class HttpKubeApi implements KubeApi, Reviewer {
  /** What no scheduler writes. */
  readonly objects: ObjectApi;
  readonly #caller: ApiCaller;
  readonly #clock: Clock;
  readonly #chance: () => number;
  readonly #decoder: MessageDecoder;
  readonly #reflections = new Set<Reflector>();
  readonly #bodies = new BodyEncoder();
  #eventOrdinal = 0;

  constructor(options: HttpKubeApiOptions) {
    this.#decoder = new MessageDecoder(options.unreadFields);
    this.#caller = new ApiCaller({ ...options, decoder: this.#decoder });
    this.objects = new ObjectApi(this.#caller);
    this.#clock = options.clock;
    this.#chance = options.chance;
  }

  /** Of the API server, like "https://10.0.0.1:6443". */
  get origin(): string {
    return this.#caller.origin;
  }

  reflect(resource: ResourceName, handler: ReflectHandler, options: ReflectOptions = {}): Reflection {
    const { fieldSelector = '', isNewest = false } = options;
    const reflector = new Reflector({
      resource,
      fieldSelector,
      isNewest,
      handler,
      caller: this.#caller,
      decoder: this.#decoder,
      clock: this.#clock,
      backoff: new Backoff(this.#chance),
      chance: this.#chance,
    });
    this.#reflections.add(reflector);
    reflector.start();
    return reflector;
  }

  bind(pod: PodToBind, nodeName: string, { deadlineMs }: WriteOptions = {}): Promise<BindOutcome> {
    const call: Call = {
      verb: 'create',
      resource: 'pods/binding',
      method: 'POST',
      path: objectPath('pods', pod, 'binding'),
      body: this.#bodies.binding(pod, nodeName),
      contentType: PROTOBUF,
      repeatsMax: 0,
      deadlineMs,
    };
    return this.#do(call, BOUND);
  }

  patchPodStatus(pod: PodToBind, patch: PodStatusPatch, options: WriteOptions = {}): Promise<DoneOutcome> {
    const call: Call = {
      verb: 'patch',
      resource: 'pods/status',
      method: 'PATCH',
      path: objectPath('pods', pod, 'status'),
      body: podStatusBody(pod, patch),
      contentType: STRATEGIC_MERGE,
      ...options,
    };
    return this.#do(call, DONE);
  }

  deletePod(pod: ObjectIdentity, options: WriteOptions = {}): Promise<DoneOutcome> {
    const call: Call = {
      verb: 'delete',
      resource: 'pods',
      method: 'DELETE',
      path: objectPath('pods', pod),
      body: deleteBody(pod),
      ...options,
    };
    return this.#do(call, DONE);
  }

  createEvent(event: SchedulerEvent): Promise<WriteOutcome> {
    this.#eventOrdinal = (this.#eventOrdinal + 1) % ORDINALS;
    const wallMs = this.#clock.wallMs();
    const body = eventBody(event, wallMs, this.#eventOrdinal);
    const call: Call = {
      verb: 'create',
      resource: qualifiedName('events'),
      method: 'POST',
      path: namespacePath('events', eventNamespace(event)),
      body: this.#bodies.event(body, wallMs),
      contentType: PROTOBUF,
    };
    // The API server adds nothing that anybody wants to know.
    return this.#do(call, { kind: 'done', object: body });
  }

  updateEventSeries(event: LeaseName, count: number): Promise<WriteOutcome> {
    return this.#write({
      verb: 'patch',
      resource: qualifiedName('events'),
      method: 'PATCH',
      path: objectPath('events', event),
      body: seriesBody(count, this.#clock.wallMs()),
      contentType: STRATEGIC_MERGE,
    });
  }

  mergePatch(resource: ResourceName, object: LeaseName, patch: JsonObject): Promise<WriteOutcome> {
    return this.#write({
      verb: 'patch',
      resource: qualifiedName(resource),
      method: 'PATCH',
      path: objectPath(resource, object),
      body: patch,
      contentType: JSON_MERGE,
    });
  }

  read(resource: ResourceName, object: LeaseName): Promise<ReadOutcome> {
    return this.#read({ resource: qualifiedName(resource), path: objectPath(resource, object), isUrgent: false });
  }

  readLease(lease: LeaseName): Promise<ReadOutcome> {
    return this.#read({ resource: qualifiedName('leases'), path: objectPath('leases', lease), isUrgent: true });
  }

  createLease(lease: LeaseName, spec: LeaseSpec): Promise<WriteOutcome> {
    return this.#write({
      verb: 'create',
      resource: qualifiedName('leases'),
      method: 'POST',
      path: namespacePath('leases', lease.namespace),
      body: leaseBody(lease, spec, ''),
      isUrgent: true,
    });
  }

  updateLease(lease: LeaseName, spec: LeaseSpec, resourceVersion: string): Promise<WriteOutcome> {
    return this.#write({
      verb: 'update',
      resource: qualifiedName('leases'),
      method: 'PUT',
      path: objectPath('leases', lease),
      body: leaseBody(lease, spec, resourceVersion),
      isUrgent: true,
    });
  }

  readVersion(): Promise<ReadOutcome> {
    return this.#read({ resource: '/version', path: '/version', isUrgent: false });
  }

  /** Waits for no other requests. */
  review(kind: ReviewKind, spec: JsonObject): Promise<WriteOutcome> {
    const group = kind === 'TokenReview' ? 'authentication.k8s.io' : 'authorization.k8s.io';
    const plural = `${kind.toLowerCase()}s`;
    return this.#write({
      verb: 'create',
      resource: `${plural}.${group}`,
      method: 'POST',
      path: `/apis/${group}/v1/${plural}`,
      body: { apiVersion: `${group}/v1`, kind, spec },
      isUrgent: true,
    });
  }

  /** What the API server lets others know of how it authenticates (kube-system/extension-apiserver-authentication). */
  readAuthenticationConfig(): Promise<ReadOutcome> {
    const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
    return this.#read({ resource: 'configmaps', path, isUrgent: true });
  }

  async accessProblems(): Promise<readonly AccessProblem[]> {
    const problems = await Promise.all(NEEDED_RIGHTS.map((right) => this.#accessProblem(right)));
    return problems.filter((problem) => problem !== undefined);
  }

  async #accessProblem({ verb, group, resource, subresource }: Right): Promise<AccessProblem | undefined> {
    const outcome = await this.#write({
      verb: 'create',
      resource: 'selfsubjectaccessreviews.authorization.k8s.io',
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb, group, resource, ...(subresource === '' ? {} : { subresource }) } },
      },
    });
    if (outcome.kind !== 'done' || !isObject(outcome.object.status)) return undefined;
    const { allowed, reason } = outcome.object.status;
    if (allowed !== false) return undefined;
    const name = subresource === '' ? qualifiedName(resource) : `${resource}/${subresource}`;
    const why = typeof reason === 'string' && reason !== '' ? `: ${reason}` : '';
    return { verb, resource: name, text: `not allowed to ${verb} ${name}${why}` };
  }

  requestCounts(): readonly RequestCount[] {
    return this.#caller.counts();
  }

  async close(): Promise<void> {
    for (const reflection of this.#reflections) reflection.close();
    this.#reflections.clear();
    await this.#caller.close();
  }

  #call(call: Call, isSuccessUnread: boolean): Promise<Answer> {
    const { body, isUrgent = false } = call;
    // Field by field: this is done for each pod, and to spread objects costs more than what is in them.
    return this.#caller.call({
      method: call.method,
      path: call.path,
      body: body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body),
      contentType: call.contentType,
      accept: isSuccessUnread ? PROTOBUF_OR_JSON : undefined,
      isSuccessUnread,
      timeoutMs: isUrgent ? URGENT_TIMEOUT_MS : TIMEOUT_MS,
      deadlineMs: call.deadlineMs,
      isUrgent,
      repeatsMax: call.repeatsMax ?? (isUrgent ? URGENT_REPEATS_MAX : REPEATS_MAX),
    });
  }

  /** A write of whose success nothing but the status is read. */
  async #do<Success>(call: Call, success: Success): Promise<Success | Failure> {
    const answer = await this.#call(call, true);
    return answer.kind === 'answer' && isSuccess(answer.status) ? success : failureOf(answer, call);
  }

  async #write(call: Call): Promise<WriteOutcome> {
    const found = objectOf(await this.#call(call, false), call);
    return 'failure' in found ? found.failure : { kind: 'done', object: found.object };
  }

  async #read({
    resource,
    path,
    isUrgent,
  }: {
    readonly resource: string;
    readonly path: string;
    readonly isUrgent: boolean;
  }): Promise<ReadOutcome> {
    const call = { verb: 'get', resource, method: 'GET', path, isUrgent } as const;
    const found = objectOf(await this.#call(call, false), call);
    return 'failure' in found ? found.failure : { kind: 'found', object: found.object };
  }
}

function objectOf(
  answer: Answer,
  subject: RequestSubject,
): { readonly object: JsonObject } | { readonly failure: Failure } {
  if (answer.kind !== 'answer' || !isSuccess(answer.status)) return { failure: failureOf(answer, subject) };
  const object = parseObject(answer.body);
  if (object !== undefined) return { object };
  return { failure: { kind: 'unknown', text: `${subject.verb} ${subject.resource}: the answer is not JSON` } };
}
