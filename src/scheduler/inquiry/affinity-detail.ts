// Which pod keeps another from a node by required anti-affinity: its own that the other matches, or the other's that it matches. One of them for each
// topology domain, found in one pass over all pods.

import { HOSTNAME } from '../kernel/topology.ts';
import type { ObjectLookup } from '../model/cluster-objects.ts';
import { NO_LABELS } from '../model/label-selector.ts';
import { type PodObject, podKey } from '../model/pod-object.ts';
import { matchesResolved, matchesTerm, resolved } from '../reference/affinity-terms.ts';
import type { NodeState } from '../reference/cluster.ts';
import type { PluginRefusal } from '../reference/filtering.ts';
import type { ClusterSnapshot } from './cluster-snapshot.ts';

const BY_EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules";
const BY_ITS_OWN = "node(s) didn't match pod anti-affinity rules";

/** A pod that is there, by topology key and value. */
type ByDomain = Map<string, Map<string, { readonly pod: string; readonly node: string }>>;

export interface AffinityCause {
  /** Nodes of one domain are told together; so are those that are each kept by a pod of their own. */
  readonly domain: string;
  readonly text: string;
}

export class AffinityDetail {
  readonly #refusing: ByDomain = new Map();
  readonly #unwanted: ByDomain = new Map();

  constructor(pod: PodObject, snapshot: Pick<ClusterSnapshot, 'all'> & ObjectLookup, states: readonly NodeState[]) {
    const labels = snapshot.find('Namespace', pod.namespace)?.labels ?? NO_LABELS;
    const own = pod.antiAffinity.required.map((term) => resolved(term, snapshot));
    for (const state of states) {
      for (const other of state.pods) {
        for (const term of other.antiAffinity.required) {
          if (matchesTerm(term, pod, labels)) note(this.#refusing, term.topologyKey, state, other);
        }
        for (const term of own) if (matchesResolved(term, other)) note(this.#unwanted, term.topologyKey, state, other);
      }
    }
  }

  /** Undefined where no pod is to blame. */
  of({ plugin, reasons }: PluginRefusal, { node }: NodeState): AffinityCause | undefined {
    if (plugin !== 'InterPodAffinity') return undefined;
    const isExisting = reasons.includes(BY_EXISTING);
    if (!isExisting && !reasons.includes(BY_ITS_OWN)) return undefined;
    for (const [key, byValue] of isExisting ? this.#refusing : this.#unwanted) {
      const value = node.labels.get(key);
      const found = value === undefined ? undefined : byValue.get(value);
      if (found === undefined) continue;
      const verb = isExisting ? 'refuses it' : 'is one that it refuses';
      const text = `${found.pod} on ${found.node} ${verb}`;
      if (key === HOSTNAME) return { domain: key, text: `${text}, for one` };
      return { domain: `${key}=${value}`, text: `${text} in ${key} ${value}` };
    }
    return undefined;
  }
}

function note(byDomain: ByDomain, topologyKey: string, { node }: NodeState, pod: PodObject): void {
  const value = node.labels.get(topologyKey);
  if (value === undefined) return;
  const byValue = byDomain.get(topologyKey) ?? new Map();
  byDomain.set(topologyKey, byValue);
  if (!byValue.has(value)) byValue.set(value, { pod: podKey(pod), node: node.name });
}
