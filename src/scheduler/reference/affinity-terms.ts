// Whether a pod is one that an affinity term speaks of.
//
// The namespaces of the incoming pod's terms are resolved to names once, by the namespaces that there are; upstream then
// still tests the term's namespace selector, against no labels at all (its copy of the term is by value). So a selector
// that is met by no labels (NotIn, DoesNotExist), lets every namespace in.

import type { ObjectOf } from '../model/cluster-objects.ts';
import { isEmptySelector, type Labels, matchesLabels, NO_LABELS } from '../model/label-selector.ts';
import type { AffinityTerm, PodObject } from '../model/pod-object.ts';

/** Where namespaces are known. */
export interface Namespaces {
  all(kind: 'Namespace'): Iterable<ObjectOf<'Namespace'>>;
}

/** `namespaceLabels`: of the pod's namespace. */
export function matchesTerm(term: AffinityTerm, pod: PodObject, namespaceLabels: Labels): boolean {
  const isInNamespace = term.namespaces.has(pod.namespace) || matchesLabels(term.namespaceSelector, namespaceLabels);
  return isInNamespace && matchesLabels(term.selector, pod.labels);
}

/** A term of the incoming pod. */
export function resolved<T extends AffinityTerm>(term: T, cluster: Namespaces): T {
  if (isEmptySelector(term.namespaceSelector)) return term;
  const selected = [...cluster.all('Namespace')].filter(({ labels }) => matchesLabels(term.namespaceSelector, labels));
  return { ...term, namespaces: new Set([...term.namespaces, ...selected.map(({ name }) => name)]) };
}

/** A term of the incoming pod, resolved, against a pod that is there. */
export function matchesResolved(term: AffinityTerm, pod: PodObject): boolean {
  return matchesTerm(term, pod, NO_LABELS);
}
