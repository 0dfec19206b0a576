// The history of pods and nodes as a store has it, revision by revision, arranged for questions about a stretch of it: where was
// this pod, was that node there. `placement-checker.ts` asks them.
//
// A pod is known by its uid, and what it asks for is taken as it was created: nothing here resizes pods or changes their labels. A node is known
// by its name, and its pods stay with the name while the node is away, as kube-scheduler has it.

import { type NodeObject, readNode } from '../scheduler/model/node-object.ts';
import type { PodObject } from '../scheduler/model/pod-object.ts';
import { readPod } from '../scheduler/model/pod-reader.ts';

/** The revisions up to which a scheduler had been told of pods and of nodes when it decided. */
export interface DecidedUpon {
  readonly pods: number;
  readonly nodes: number;
}

/** One change of a pod or a node, in order of the revisions. */
export interface PlacementChange {
  readonly revision: number;
  /** When it was seen, by one clock; it does not go back. */
  readonly timeMs: number;
  readonly kind: 'pod' | 'node';
  /** The store's. */
  readonly key: string;
  /** As in the API's JSON; undefined: deleted. */
  readonly object: unknown;
  /** Of a binding whose decision was observed. */
  readonly decidedUpon?: DecidedUpon | undefined;
}

/** What a pod went through. Revisions; POSITIVE_INFINITY where it has not come to that. */
export interface PodTrack {
  readonly pod: PodObject;
  readonly createdAt: number;
  /** Of its last change before it was bound. */
  seenAt: number;
  nodeName: string;
  boundAt: number;
  decidedUpon: DecidedUpon | undefined;
  terminatingAt: number;
  /** Deleted, or finished: it takes nothing of its node any more. */
  goneAt: number;
}

export interface NodeVersion {
  readonly revision: number;
  /** Undefined: there is none from this revision on. */
  readonly node: NodeObject | undefined;
}

/** What no history may have, whoever schedules. */
export interface HistoryProblem {
  readonly rule: 'bound once' | 'readable';
  readonly revision: number;
  readonly text: string;
}

export class PlacementHistory {
  readonly problems: HistoryProblem[] = [];
  /** Every pod there ever was, by uid. */
  readonly pods: Map<string, PodTrack> = new Map();
  readonly nodes: Map<string, NodeVersion[]> = new Map();
  /** In order of their revisions. */
  readonly bindings: PodTrack[] = [];
  readonly #uids = new Map<string, string>();
  readonly #names = new Map<string, string>();
  readonly #revisions: number[] = [];
  readonly #times: number[] = [];

  constructor(changes: readonly PlacementChange[]) {
    for (const change of changes) {
      this.#revisions.push(change.revision);
      this.#times.push(change.timeMs);
      if (change.kind === 'pod') this.#podChanged(change);
      else this.#nodeChanged(change);
    }
  }

  /** The last revision that was seen so long before this one. */
  before(revision: number, ms: number): number {
    if (ms === 0) return revision;
    const untilMs = this.#times[this.#firstAfter(this.#revisions, revision) - 1] - ms;
    const index = this.#firstAfter(this.#times, untilMs) - 1;
    return index < 0 ? 0 : Math.min(this.#revisions[index], revision);
  }

  /** What the node was at any time from one revision to another, both included. */
  versionsOf(nodeName: string, from: number, to: number): readonly NodeVersion[] {
    const versions = this.nodes.get(nodeName) ?? [];
    return versions.filter(({ revision }, index) => revision <= to && (versions[index + 1]?.revision ?? to + 1) > from);
  }

  /** Whether there was such a node all the time. */
  wasThere(nodeName: string, from: number, to: number): boolean {
    const versions = this.versionsOf(nodeName, from, to);
    return versions.length > 0 && versions[0].revision <= from && versions.every(({ node }) => node !== undefined);
  }

  /** A label by the newest version that there was by then; nodes keep those that pods are placed by. */
  labelOf(nodeName: string, key: string, revision: number): string | undefined {
    const versions = this.nodes.get(nodeName) ?? [];
    return versions
      .findLast((version) => version.revision <= revision && version.node !== undefined)
      ?.node?.labels.get(key);
  }

  #podChanged({ revision, key, object, decidedUpon }: PlacementChange): void {
    const before = this.#uids.get(key);
    if (object === undefined) {
      this.#uids.delete(key);
      this.#leaves(before, revision);
      return;
    }
    const read = readPod(object);
    if ('reason' in read) {
      this.problems.push({ rule: 'readable', revision, text: `${key}: ${read.reason}` });
      return;
    }
    const pod = read.object;
    if (before !== pod.uid) this.#leaves(before, revision);
    this.#uids.set(key, pod.uid);
    const track = this.#trackOf(pod, revision);
    this.#place(track, pod, revision);
    if (track.boundAt === revision) track.decidedUpon = decidedUpon;
    if (pod.isTerminating) track.terminatingAt = Math.min(track.terminatingAt, revision);
    if (pod.isFinished) track.goneAt = Math.min(track.goneAt, revision);
    if (track.boundAt > revision) track.seenAt = revision;
  }

  #trackOf(pod: PodObject, revision: number): PodTrack {
    const known = this.pods.get(pod.uid);
    if (known !== undefined) return known;
    const never = Number.POSITIVE_INFINITY;
    const track = {
      pod,
      createdAt: revision,
      seenAt: revision,
      nodeName: '',
      boundAt: never,
      decidedUpon: undefined,
      terminatingAt: never,
      goneAt: never,
    };
    this.pods.set(pod.uid, track);
    return track;
  }

  #place(track: PodTrack, { name, nodeName }: PodObject, revision: number): void {
    if (nodeName === track.nodeName) return;
    if (track.nodeName !== '') {
      const text = `${name} was bound to ${track.nodeName} at ${track.boundAt} and is on "${nodeName}"`;
      this.problems.push({ rule: 'bound once', revision, text });
      return;
    }
    track.nodeName = nodeName;
    track.boundAt = revision;
    this.bindings.push(track);
  }

  #leaves(uid: string | undefined, revision: number): void {
    const track = uid === undefined ? undefined : this.pods.get(uid);
    if (track !== undefined) track.goneAt = Math.min(track.goneAt, revision);
  }

  #nodeChanged({ revision, key, object }: PlacementChange): void {
    if (object === undefined) {
      const name = this.#names.get(key);
      if (name !== undefined) this.nodes.get(name)?.push({ revision, node: undefined });
      return;
    }
    const read = readNode(object);
    if ('reason' in read) {
      this.problems.push({ rule: 'readable', revision, text: `${key}: ${read.reason}` });
      return;
    }
    const { name } = read.object;
    this.#names.set(key, name);
    const versions = this.nodes.get(name) ?? [];
    versions.push({ revision, node: read.object });
    this.nodes.set(name, versions);
  }

  /** The index of the first that is above, in an ascending list. */
  #firstAfter(list: readonly number[], value: number): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
