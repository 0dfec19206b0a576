// In what a node or a pod differs from its state before, as far as that may let others in.

import {
  type ClusterChange,
  NO_CHANGE,
  NODE_FEATURES,
  NODE_GROWN,
  NODE_LABELS,
  NODE_TAINTS,
  POD_LABELS,
  POD_LEAVING,
  POD_SCALED_DOWN,
} from '../model/cluster-change.ts';
import type { NodeObject } from '../model/node-object.ts';
import type { Resources } from '../model/resources.ts';
import { canonicalText } from './interner.ts';
import type { NodeShape, NodeTable } from './node-table.ts';
import type { PodShape } from './pod-table.ts';

/** Of a node that is about to be set, by what the table has of it. */
export function roomChange(nodes: NodeTable, slot: number, { podsMax, allocatable }: NodeObject): ClusterChange {
  const isGrown =
    podsMax > nodes.podsMax[slot] ||
    allocatable.milliCpu > nodes.milliCpu.capacity[slot] ||
    allocatable.memory > nodes.memory.capacity[slot] ||
    allocatable.ephemeralStorage > nodes.ephemeralStorage.capacity[slot] ||
    [...allocatable.scalars].some(([name, amount]) => amount > nodes.resource(name).capacity[slot]);
  return isGrown ? NODE_GROWN : NO_CHANGE;
}

/** Hostnames are not in shapes. */
export function shapeChange(before: NodeShape, after: NodeShape, hasOtherHostname: boolean): ClusterChange {
  const differs = (part: 'labels' | 'taints' | 'declaredFeatures'): boolean =>
    canonicalText(before[part]) !== canonicalText(after[part]);
  return (
    (hasOtherHostname || differs('labels') ? NODE_LABELS : NO_CHANGE) |
    (before.isUnschedulable !== after.isUnschedulable || differs('taints') ? NODE_TAINTS : NO_CHANGE) |
    (differs('declaredFeatures') ? NODE_FEATURES : NO_CHANGE)
  );
}

/** Of a pod that stays on its node. */
export function podChange(before: PodShape, after: PodShape): ClusterChange {
  if (before === after) return NO_CHANGE;
  return (
    (before.kind === after.kind ? NO_CHANGE : POD_LABELS) |
    (asksForLess(before.requests.onNode, after.requests.onNode) ? POD_SCALED_DOWN : NO_CHANGE) |
    (after.isTerminating && !before.isTerminating ? POD_LEAVING : NO_CHANGE)
  );
}

function asksForLess(before: Resources, after: Resources): boolean {
  return (
    after.milliCpu < before.milliCpu ||
    after.memory < before.memory ||
    after.ephemeralStorage < before.ephemeralStorage ||
    [...before.scalars].some(([name, amount]) => (after.scalars.get(name) ?? 0) < amount)
  );
}
