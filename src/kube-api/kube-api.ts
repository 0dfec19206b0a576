// The Kubernetes API server as a scheduler sees it: collections followed, pods bound, results written. The interface; `http-kube-api.ts` is
// the one over HTTP, and a test of a scheduler brings a fake of its own.
//
// All objects are as their JSON parses, in whatever encoding they came: unchecked, of unknown shape. Whoever reads them judges them.
// No method throws or rejects for what a peer, a network or a cluster does: every answer is one of the outcomes below.
//
// What an outcome says about the write it answers:
//
//   done                 it happened
//   conflict, gone,      it did not happen, and will not by sending it again unchanged
//   refused
//   too-many-requests,   it did not happen; sending it again is right, later
//   unreachable
//   unknown              it may have happened: read the object before acting

import type { ResourceName } from './resource.ts';
import type { OngoingTrouble } from './trouble.ts';

export interface JsonObject {
  readonly [field: string]: unknown;
}

/** The identity of an object. */
export interface ObjectIdentity {
  /** '' for objects without one. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** A pod or a node that is like another one, but for what stands here, and for what no scheduler reads of it (docs/scheduler.md). */
export interface Lookalike extends ObjectIdentity {
  /** The other one as onSet was told of it: the same object for all that are alike. */
  readonly like: JsonObject;
  readonly resourceVersion: string;
  /** Of a pod; '' for none. */
  readonly nodeName: string;
  /** Of a pod, since 1970; −1: not set. */
  readonly createdSeconds: number;
  readonly startedSeconds: number;
  /** Of a node: its label kubernetes.io/hostname, if it has one. */
  readonly hostname: string | undefined;
}

export interface ReflectHandler {
  /** The object is new, or changed. Twice with the same uid only if its resourceVersion has changed. */
  onSet(object: JsonObject): void;
  /** The same for one that need not be read. Who answers false, or has no such method, gets onSet. */
  onAlike?(object: Lookalike): boolean;
  /**
   * The pod of that uid is as it was last told, but for a binding that this client has made: nothing else is to be read. Who answers false,
   * or has no such method, gets onSet.
   */
  onBound?(uid: string, nodeName: string): boolean;
  /** An object that onSet told of is no more. One recreated under its name is told deleted first, then set. */
  onDeleted(identity: ObjectIdentity): void;
  /** Once: what onSet has told so far is the whole collection as of one moment. */
  onSynced(): void;
  /**
   * For a log: why the collection cannot be followed at the moment, or which object was skipped and why. It is retried until it is
   * over; a problem that goes on is told once a minute, and its end is told.
   */
  onProblem(text: string): void;
}

export interface ReflectOptions {
  /** As the API's fieldSelector, like "status.phase!=Failed". */
  readonly fieldSelector?: string;
  /** The first list has everything that was written before it was asked for. Else it may come from a cache that is behind. */
  readonly isNewest?: boolean;
}

export interface ReflectionCounts {
  readonly lists: number;
  readonly watches: number;
  /** Lines of watches and items of lists that gave an event, a bookmark or an object. */
  readonly events: number;
  /** Events that told nothing new: repeated, or older than what is known. */
  readonly stale: number;
  /** Lines and items that could not be read and were skipped. */
  readonly malformed: number;
  /** Lists and watches that failed. */
  readonly failures: number;
}

export interface Reflection {
  readonly resource: ResourceName;
  readonly isSynced: boolean;
  /** Why it cannot be followed at the moment; undefined while it can. */
  readonly trouble: OngoingTrouble | undefined;
  /** How many objects there are by what is known. */
  readonly size: number;
  readonly counts: ReflectionCounts;
  /** Nothing is called any more from now on. */
  close(): void;
}

export type Failure =
  /** 409. */
  | { readonly kind: 'conflict'; readonly text: string }
  /** 404, or the uid is another one's. */
  | { readonly kind: 'gone'; readonly text: string }
  /** The connection was lost, the time was over, or the server failed (5xx) with the request in its hands. */
  | { readonly kind: 'unknown'; readonly text: string }
  /** 400, 401, 403, 422 and the like; the text names what is missing. */
  | { readonly kind: 'refused'; readonly status: number; readonly text: string }
  /** 429, or more requests wait here than may (`waitingMax`). */
  | { readonly kind: 'too-many-requests'; readonly retryAfterMs: number }
  /** No connection, no credentials, or this client is closed: the request never left. */
  | { readonly kind: 'unreachable'; readonly text: string };

export type BindOutcome = { readonly kind: 'bound' } | Failure;
/** Of a write whose answer nobody reads. */
export type DoneOutcome = { readonly kind: 'done' } | Failure;
export type WriteOutcome = { readonly kind: 'done'; readonly object: JsonObject } | Failure;
export type ReadOutcome = { readonly kind: 'found'; readonly object: JsonObject } | Failure;

/** A pod to write. The uid, and the resourceVersion where given, are preconditions. */
export interface PodToBind extends ObjectIdentity {
  readonly resourceVersion?: string;
}

export interface WriteOptions {
  /** By the clock's nowMs: the request is not sent later, and given up then, by the API server too. */
  readonly deadlineMs?: number;
}

/** One of status.conditions; merged by its type. */
export interface PodCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  /** RFC 3339 with whole seconds; left as it is when absent. */
  readonly lastTransitionTime?: string;
  readonly lastProbeTime?: string | null;
}

export interface PodStatusPatch {
  readonly conditions?: readonly PodCondition[];
  /** '' takes a nomination back; absent leaves it. */
  readonly nominatedNodeName?: string;
}

/** An Event of events.k8s.io/v1 as kube-scheduler's recorder writes them. */
export interface SchedulerEvent {
  readonly regarding: ObjectIdentity & {
    readonly apiVersion: string;
    readonly kind: string;
    readonly resourceVersion?: string;
  };
  readonly related?: ObjectIdentity & { readonly apiVersion: string; readonly kind: string };
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  /** Cut to 1,024 bytes as upstream does. */
  readonly note: string;
  /** The scheduler's name, like "default-scheduler". */
  readonly reportingController: string;
  /** Like "default-scheduler-host1"; cut to 128 bytes. */
  readonly reportingInstance: string;
}

/** A Lease of coordination.k8s.io/v1 for leader election. */
export interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  /** RFC 3339 with microseconds. */
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly leaseTransitions: number;
}

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

export interface AccessProblem {
  readonly verb: string;
  /** Like "pods/binding" or "csinodes.storage.k8s.io". */
  readonly resource: string;
  /** For a log: what is missing and what the API server says about it. */
  readonly text: string;
}

export interface RequestCount {
  readonly verb: string;
  /** The status, or "<error>" where there was none, as client-go labels it. */
  readonly code: string;
  readonly count: number;
}

export interface KubeApi {
  /** Lists and watches until closed. The handler is never called before this returns. */
  reflect(resource: ResourceName, handler: ReflectHandler, options?: ReflectOptions): Reflection;
  /**
   * POST of the binding subresource. Never repeated here, also not after 429. `conflict` says that the pod is bound already, is being
   * deleted, or that a precondition does not hold.
   */
  bind(pod: PodToBind, nodeName: string, options?: WriteOptions): Promise<BindOutcome>;
  /** A strategic merge patch of pods/status with the uid as precondition, and the resourceVersion where given. */
  patchPodStatus(pod: PodToBind, patch: PodStatusPatch, options?: WriteOptions): Promise<DoneOutcome>;
  /** With the uid as precondition. */
  deletePod(pod: ObjectIdentity, options?: WriteOptions): Promise<DoneOutcome>;
  /** `done` has the event with its name, for a series. */
  createEvent(event: SchedulerEvent): Promise<WriteOutcome>;
  /** Says that the event has happened so often by now (`count` ≥ 2), the last time now. */
  updateEventSeries(event: { readonly namespace: string; readonly name: string }, count: number): Promise<WriteOutcome>;
  /** A JSON merge patch (RFC 7396) of any object; metadata.uid and metadata.resourceVersion in it are preconditions. */
  mergePatch(
    resource: ResourceName,
    object: { readonly namespace: string; readonly name: string },
    patch: JsonObject,
  ): Promise<WriteOutcome>;
  /** Read from the store, not from a cache. */
  read(resource: ResourceName, object: { readonly namespace: string; readonly name: string }): Promise<ReadOutcome>;
  /** Requests about leases wait for no others. */
  readLease(lease: LeaseName): Promise<ReadOutcome>;
  createLease(lease: LeaseName, spec: LeaseSpec): Promise<WriteOutcome>;
  /** With the resourceVersion as precondition: `conflict` when somebody else has written meanwhile. */
  updateLease(lease: LeaseName, spec: LeaseSpec, resourceVersion: string): Promise<WriteOutcome>;
  /** The API server's version, like "v1.36.3" in `gitVersion`. */
  readVersion(): Promise<ReadOutcome>;
  /** Which of the rights that a scheduler needs are missing. Empty also where the API server cannot be asked. */
  accessProblems(): Promise<readonly AccessProblem[]>;
  requestCounts(): readonly RequestCount[];
  /** Ends reflections, requests and connections. What was sent and is not answered becomes `unknown`. */
  close(): Promise<void>;
}
