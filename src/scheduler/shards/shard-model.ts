// Nodes and pods as a shard is told of them: what it needs to know to arrange its nodes, in parts that many share (shapes).

import { assert } from '../../base/assert.ts';
import { WireError } from '../../base/byte-reader.ts';
import type { NodeShape } from '../kernel/node-table.ts';
import type { PodShape } from '../kernel/pod-table.ts';
import { NO_LABELS } from '../model/label-selector.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { PodObject } from '../model/pod-object.ts';

/** What a node's shape is told by. */
export type NodeParts = Pick<NodeShape, 'labels' | 'taints' | 'isUnschedulable' | 'declaredFeatures' | 'imageNames'>;

export function nodePartsOf({ labels, taints, isUnschedulable, declaredFeatures, imageNames }: NodeShape): NodeParts {
  return { labels, taints, isUnschedulable, declaredFeatures, imageNames };
}

export type NodeOwn = Pick<NodeObject, 'name' | 'labels' | 'allocatable' | 'podsMax'>;

export function nodeOf(shape: NodeParts, own: NodeOwn): NodeObject {
  const { taints, isUnschedulable, declaredFeatures, imageNames } = shape;
  // How large images are bears on scores, which a shard does not give.
  const images = [{ names: [...imageNames], sizeBytes: 0 }];
  return { uid: own.name, ...own, taints, isUnschedulable, images, declaredFeatures, shape };
}

/** What a pod's shape is told by. */
export type PodParts = Pick<
  PodObject,
  | 'namespace'
  | 'labels'
  | 'requests'
  | 'hostPorts'
  | 'isTerminating'
  | 'isPreempted'
  | 'priority'
  | 'affinity'
  | 'antiAffinity'
>;

export function podPartsOf(shape: PodShape): PodParts {
  const { kind, requests, hostPorts, isTerminating, isPreempted, priority, affinity, antiAffinity } = shape;
  const { namespace, labels } = kind;
  return { namespace, labels, requests, hostPorts, isTerminating, isPreempted, priority, affinity, antiAffinity };
}

/** Of a pod that is on a node nothing else is looked at. */
const PLACED = {
  schedulerName: '',
  nominatedNodeName: '',
  neverPreempts: false,
  createdAtMs: 0,
  startedAtMs: undefined,
  generation: 0,
  isToldUnplaced: false,
  isFinished: false,
  schedulingGates: [],
  requiredNodes: { pairs: NO_LABELS, selector: undefined },
  preferredNodes: [],
  affinityProblem: '',
  tolerations: [],
  spreadConstraints: [],
  spreadProblem: '',
  images: [],
  containerCount: 1,
  volumes: [],
  resourceClaims: [],
  controller: undefined,
  neededFeatures: new Set<string>(),
} as const;

export function podOf(parts: PodParts, uid: string, nodeName: string): PodObject {
  return { ...PLACED, ...parts, uid, name: uid, nodeName };
}

interface Numbered<T> {
  readonly part: T;
  users: number;
}

/** Shapes by number, as long as somebody has them. */
export class ShapeTable<T> {
  readonly #shapes = new Map<number, Numbered<T>>();

  /** It has no users yet. */
  set(number: number, part: T): void {
    this.#shapes.set(number, { part, users: 0 });
  }

  /** For one more user. */
  take(number: number): T {
    const shape = this.#shapes.get(number);
    if (shape === undefined) throw new WireError(`shape ${number} was not told before`);
    shape.users++;
    return shape.part;
  }

  release(number: number): void {
    const shape = this.#shapes.get(number);
    assert(shape !== undefined, 'a shape that is given back was taken');
    if (--shape.users === 0) this.#shapes.delete(number);
  }
}

/** The same from the other side: numbers of shapes. */
export class ShapeNumbers<T extends object> {
  readonly #shapes = new Map<T, { readonly number: number; users: number }>();
  #next = 1;

  /** For one more user. `isNew`: it has to be told. */
  take(shape: T): { readonly number: number; readonly isNew: boolean } {
    const known = this.#shapes.get(shape);
    if (known !== undefined) {
      known.users++;
      return { number: known.number, isNew: false };
    }
    const number = this.#next++;
    this.#shapes.set(shape, { number, users: 1 });
    return { number, isNew: true };
  }

  release(shape: T): void {
    const known = this.#shapes.get(shape);
    assert(known !== undefined, 'a shape that is given back was taken');
    if (--known.users === 0) this.#shapes.delete(shape);
  }
}
