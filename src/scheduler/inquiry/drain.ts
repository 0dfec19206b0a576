// Nodes drained as kubectl drain --ignore-daemonsets --force does it by evictions (pkg/registry/core/pod/storage/eviction.go of 1.36), over all nodes that are
// asked about.
//
// A pod that a budget covers goes while the budget allows a disruption. A budget that allows some is taken to allow more once those that have gone are
// ready elsewhere, so all its pods go, and a remark says so. One that allows none holds its pods, and so do two budgets over one pod.

import type { BudgetObject } from '../model/cluster-objects.ts';
import { matchesLabels } from '../model/label-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';

const NO_DISRUPTION = "Cannot evict pod as it would violate the pod's disruption budget.";
const TWO_BUDGETS = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';

export interface Held {
  readonly pod: PodObject;
  /** The API server's words. */
  readonly message: string;
}

export interface Evicted {
  /** Those that would come again elsewhere. */
  readonly moved: readonly PodObject[];
  /** How many would not, having no controller. */
  readonly lost: number;
}

export class Drain {
  /** Pods that stay, by node. */
  readonly held: Map<string, Held[]> = new Map();
  readonly #snapshot: ClusterSnapshot;
  readonly #budgets: ReadonlyMap<string, readonly BudgetObject[]>;
  /** Pods that go, by budget. */
  readonly #going = new Map<BudgetObject, number>();

  constructor(snapshot: ClusterSnapshot) {
    this.#snapshot = snapshot;
    this.#budgets = Map.groupBy(snapshot.all('PodDisruptionBudget'), ({ namespace }) => namespace);
  }

  /** Takes the pods of the node that go out of the snapshot; those of DaemonSets and of the node itself stay. */
  evict(node: string): Evicted {
    const moved: PodObject[] = [];
    let lost = 0;
    for (const [uid, pod] of this.#snapshot.pods) {
      const owner = pod.controller?.kind;
      if (pod.nodeName !== node || owner === 'DaemonSet' || owner === 'Node') continue;
      if (!pod.isTerminating && this.#isHeld(pod)) continue;
      this.#snapshot.pods.delete(uid);
      if (pod.isTerminating) continue;
      if (owner === undefined) lost++;
      else moved.push(pod);
    }
    return { moved, lost };
  }

  /** Of budgets that let pods go one after another, how. */
  waits(): string[] {
    return [...this.#going]
      .filter(([{ disruptionsAllowed }, count]) => count > disruptionsAllowed)
      .map(
        ([{ namespace, name, disruptionsAllowed }, count]) =>
          `budget ${namespace}/${name} lets ${disruptionsAllowed} of ${count} pods go at a time: the others follow as these are ready elsewhere`,
      );
  }

  #isHeld(pod: PodObject): boolean {
    const { namespace, name, nodeName, labels } = pod;
    const covering = (this.#budgets.get(namespace) ?? []).filter(({ selector }) => matchesLabels(selector, labels));
    const [budget] = covering;
    if (budget === undefined) return false;
    const isAllowed = budget.disruptionsAllowed > 0 || budget.disruptedPods.has(name);
    if (covering.length === 1 && isAllowed) {
      this.#going.set(budget, (this.#going.get(budget) ?? 0) + 1);
      return false;
    }
    const message = covering.length > 1 ? TWO_BUDGETS : `${NO_DISRUPTION} (${namespace}/${budget.name})`;
    this.held.set(nodeName, [...(this.held.get(nodeName) ?? []), { pod, message }]);
    return true;
  }
}
