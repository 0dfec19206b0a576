// What depends on a node's own pods alone: whether there is room (NodeResourcesFit, NodePorts), and the scores of that room
// (NodeResourcesFit, NodeResourcesBalancedAllocation), which no other node bears on.

import { hundredths } from '../model/division.ts';
import type { HostPort, PodObject } from '../model/pod-object.ts';
import type { EffectiveRequests } from '../model/pod-requests.ts';
import { amountNamed, isExtendedName, isScalarName } from '../model/resources.ts';
import type { FitArgs, SchedulerProfile, ShapePoint } from '../model/scheduler-profile.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import type { NodeTable, ResourceColumn } from './node-table.ts';
import { RoomScale } from './room-scale.ts';

const EVERY_ADDRESS = '0.0.0.0';

interface Asked {
  readonly name: string;
  readonly column: ResourceColumn;
  readonly amount: number;
  readonly reason: string;
}

/** What becomes of one kind of resource on a node; 0: there is enough. */
const SHORT = 1;
/** It would be short without any pod. */
const TOO_SMALL = 2;
const SHORTAGES = 3;
/** Shortages of so many kinds, and of pods, are one number below 2^53. */
const KINDS_MAX = 32;

/** Room for a pod's requests. */
export class RoomCheck {
  readonly #nodes: NodeTable;
  readonly #failures: FailureTable;
  readonly #asked: readonly Asked[];
  /** Of the node that was looked at last: of pods, then of each kind that is asked for. */
  readonly #shortages: Uint8Array;
  /** Failures by shortages, as digits of one number. */
  readonly #known = new Map<number, number>();
  /** The number that was looked for last, and its failure: nodes fail alike, one after another. */
  #lastText = -1;
  #lastFailure = 0;

  constructor(state: ClusterState, failures: FailureTable, { requests }: PodObject, { fit }: SchedulerProfile) {
    this.#nodes = state.nodes;
    this.#failures = failures;
    const isIgnored = (name: string): boolean =>
      isExtendedName(name) &&
      (fit.ignoredResources.includes(name) || fit.ignoredResourceGroups.includes(name.slice(0, name.indexOf('/'))));
    const scalars = [...requests.toFit.scalars.keys()].filter((name) => !isIgnored(name)).sort();
    this.#asked = ['cpu', 'memory', 'ephemeral-storage', ...scalars]
      .map((name) => ({
        name,
        column: state.nodes.resource(name),
        amount: amountNamed(requests.toFit, name),
        reason: `Insufficient ${name}`,
      }))
      .filter(({ amount }) => amount > 0);
    this.#shortages = new Uint8Array(this.#asked.length + 1);
  }

  markUsed(round: number): void {
    for (const { column } of this.#asked) column.round = round;
  }

  /** Kinds of resources that the pod asks for. */
  get askedCount(): number {
    return this.#asked.length;
  }

  /** What another pod takes of each of them. */
  amountsOf({ onNode }: EffectiveRequests): Float64Array {
    return Float64Array.from(this.#asked, ({ name }) => amountNamed(onNode, name));
  }

  /** 0, or the number of the failure, were there `pods` more with these amounts, or fewer. */
  failureAt(slot: number, pods: number, amounts: Float64Array): number {
    const { podCounts, podsMax } = this.#nodes;
    let isShort = podCounts[slot] + pods + 1 > podsMax[slot];
    for (let i = 0; i < this.#asked.length; i++) {
      const { column, amount } = this.#asked[i];
      if (amount > column.capacity[slot] - (column.requested[slot] + amounts[i])) isShort = true;
    }
    return isShort ? this.#tell(slot, pods, amounts) : 0;
  }

  #tell(slot: number, pods: number, amounts: Float64Array): number {
    const { podCounts, podsMax } = this.#nodes;
    const shortages = this.#shortages;
    shortages[0] = podCounts[slot] + pods + 1 > podsMax[slot] ? SHORT : 0;
    let text = shortages[0];
    for (let i = 0; i < this.#asked.length; i++) {
      const { column, amount } = this.#asked[i];
      const capacity = column.capacity[slot];
      let shortage = 0;
      if (amount > capacity - (column.requested[slot] + amounts[i])) shortage = amount > capacity ? TOO_SMALL : SHORT;
      shortages[i + 1] = shortage;
      text = text * SHORTAGES + shortage;
    }
    if (this.#asked.length > KINDS_MAX) return this.#shortageFailure();
    if (text === this.#lastText) return this.#lastFailure;
    let failure = this.#known.get(text);
    if (failure === undefined) {
      failure = this.#shortageFailure();
      this.#known.set(text, failure);
    }
    this.#lastText = text;
    this.#lastFailure = failure;
    return failure;
  }

  /** The number of what #shortages says. */
  #shortageFailure(): number {
    const reasons = this.#shortages[0] === 0 ? [] : ['Too many pods'];
    for (const [i, { reason }] of this.#asked.entries()) if (this.#shortages[i + 1] !== 0) reasons.push(reason);
    const isUnresolvable = this.#shortages.includes(TOO_SMALL);
    return this.#failures.idOf({ plugin: 'NodeResourcesFit', reasons, isUnresolvable });
  }

  /** How many pods have to go at least where each takes `most` at most; 0: there is room. */
  victimsAtLeast(slot: number, most: Float64Array): number {
    const { podCounts, podsMax } = this.#nodes;
    let least = podCounts[slot] + 1 - podsMax[slot];
    for (let i = 0; i < this.#asked.length; i++) {
      const { column, amount } = this.#asked[i];
      const lacking = amount - (column.capacity[slot] - column.requested[slot]);
      if (lacking > 0) least = Math.max(least, most[i] > 0 ? Math.ceil(lacking / most[i]) : 1);
    }
    return Math.max(0, least);
  }
}

/** Pods of the node with a port that the pod wants. */
export function clashesAt(state: ClusterState, slot: number, wanted: readonly HostPort[]): number {
  let count = 0;
  for (const { shape } of state.podsAt(slot)) if (portsClash(shape.hostPorts, wanted)) count++;
  return count;
}

export function portsClash(taken: readonly HostPort[], wanted: readonly HostPort[]): boolean {
  for (const used of taken) {
    for (const port of wanted) {
      if (port.port !== used.port || port.protocol !== used.protocol) continue;
      if (port.ip === used.ip || port.ip === EVERY_ADDRESS || used.ip === EVERY_ADDRESS) return true;
    }
  }
  return false;
}

interface Scored {
  readonly capacity: () => Float64Array;
  readonly taken: () => Float64Array;
  readonly amount: number;
  readonly weight: number;
}

/** The weighted sum of the two scores, by buckets (room-scale.ts). */
export class RoomScore {
  readonly #scale: RoomScale;
  readonly #fit: FitArgs;
  readonly #fitWeight: number;
  readonly #fitResources: readonly Scored[];
  readonly #balancedWeight: number;
  readonly #balanced: readonly { readonly column: ResourceColumn; readonly amount: number }[];
  readonly #before: Float64Array;
  readonly #after: Float64Array;

  constructor({ nodes }: ClusterState, { requests }: PodObject, profile: SchedulerProfile) {
    const weightOf = (name: string): number => profile.scores.find((score) => score.name === name)?.weight ?? 0;
    this.#fit = profile.fit;
    this.#fitWeight = weightOf('NodeResourcesFit');
    this.#fitResources = profile.fit.resources
      .map(({ name, weight }) => ({
        capacity: () => nodes.resource(name).capacity,
        taken: takenColumn(nodes, name),
        amount: amountNamed(requests.toScore, name),
        weight,
        name,
      }))
      .filter(({ amount, name }) => amount !== 0 || !isScalarName(name));
    const balanced = profile.balancedResources.map(({ name }) => ({
      column: nodes.resource(name),
      amount: amountNamed(requests.onNode, name),
      name,
    }));
    this.#balancedWeight = balanced.every(({ amount }) => amount === 0)
      ? 0
      : weightOf('NodeResourcesBalancedAllocation');
    this.#balanced = balanced.filter(({ amount, name }) => amount !== 0 || !isScalarName(name));
    this.#before = new Float64Array(this.#balanced.length);
    this.#after = new Float64Array(this.#balanced.length);
    this.#scale = new RoomScale(this.#fitWeight, this.#balancedWeight);
  }

  /** The highest bucket. */
  get most(): number {
    return this.#scale.most;
  }

  markUsed(round: number): void {
    for (const { column } of this.#balanced) column.round = round;
  }

  /** The node's bucket. */
  at(slot: number): number {
    const fit = this.#fitWeight > 0 ? this.#fitAt(slot) : 0;
    return this.#scale.bucketOf(fit, this.#balancedWeight > 0 ? this.#balancedAt(slot) : 0);
  }

  /** The sum that makes up a bucket. */
  sumOf(bucket: number): number {
    return this.#scale.sumOf(bucket);
  }

  #fitAt(slot: number): number {
    const { strategy, shape } = this.#fit;
    const dropsZero = strategy === 'RequestedToCapacityRatio';
    let sum = 0;
    let weights = 0;
    for (const { capacity, taken, amount, weight } of this.#fitResources) {
      const most = capacity()[slot];
      if (most === 0) continue;
      const requested = taken()[slot] + amount;
      const score = resourceScore(strategy, shape, requested, most);
      if (dropsZero && score <= 0) continue;
      sum += score * weight;
      weights += weight;
    }
    if (weights === 0) return 0;
    return dropsZero ? Math.round(sum / weights) : Math.trunc(sum / weights);
  }

  /** Kubernetes 1.36: how far the pod makes the node's use more or less even, 75 for neither. */
  #balancedAt(slot: number): number {
    const before = this.#before;
    const after = this.#after;
    let count = 0;
    for (const { column, amount } of this.#balanced) {
      const capacity = column.capacity[slot];
      if (capacity === 0) continue;
      const requested = column.requested[slot];
      before[count] = Math.min(1, requested / capacity);
      after[count++] = Math.min(1, (requested + amount) / capacity);
    }
    return 50 + Math.trunc((50 + evenness(after, count) - evenness(before, count)) / 2);
  }
}

function takenColumn(nodes: NodeTable, name: string): () => Float64Array {
  if (name === 'cpu') return () => nodes.scoredMilliCpu;
  if (name === 'memory') return () => nodes.scoredMemory;
  return () => nodes.resource(name).requested;
}

function resourceScore(
  strategy: FitArgs['strategy'],
  shape: readonly ShapePoint[],
  requested: number,
  capacity: number,
): number {
  if (strategy === 'LeastAllocated') return requested > capacity ? 0 : hundredths(capacity - requested, capacity);
  if (strategy === 'MostAllocated') return hundredths(Math.min(requested, capacity), capacity);
  return onShape(shape, requested > capacity ? 100 : hundredths(requested, capacity));
}

/** Straight lines between the points in whole numbers, flat outside; scores are ten times those of the points. */
function onShape(shape: readonly ShapePoint[], utilization: number): number {
  if (utilization <= shape[0].utilization) return shape[0].score * 10;
  for (let i = 1; i < shape.length; i++) {
    const [left, right] = [shape[i - 1], shape[i]];
    if (utilization > right.utilization) continue;
    const rise = (right.score - left.score) * 10 * (utilization - left.utilization);
    return left.score * 10 + Math.trunc(rise / (right.utilization - left.utilization));
  }
  return shape[shape.length - 1].score * 10;
}

/** 100 less the standard deviation of the first `count` fractions, in hundredths. */
function evenness(fractions: Float64Array, count: number): number {
  if (count < 2) return 100;
  if (count === 2) return Math.trunc((1 - Math.abs((fractions[0] - fractions[1]) / 2)) * 100);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += fractions[i];
  const mean = sum / count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (fractions[i] - mean) * (fractions[i] - mean);
  return Math.trunc((1 - Math.sqrt(squares / count)) * 100);
}
