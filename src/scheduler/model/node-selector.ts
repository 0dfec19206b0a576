// Which nodes a pod wants: spec.nodeSelector and node affinity (component-helpers scheduling/corev1/nodeaffinity, 1.36).
//
// Terms are alternatives; within a term everything has to hold. A term without expressions and fields matches nothing;
// it is kept, since it keeps NodeAffinity from naming nodes (PreFilter). A term that cannot be parsed matches nothing either, but makes the whole selector an error
// where upstream says so (addedAffinity, preferred terms).

import { isMet, type Labels, matchesLabels, type Requirement, selectorOfPairs } from './label-selector.ts';

export interface FieldRequirement {
  /** Upstream's API allows metadata.name only; any other field is absent on every node. */
  readonly key: string;
  readonly operator: 'In' | 'NotIn';
  /** Exactly one in a term without problem. */
  readonly values: readonly string[];
}

export interface NodeSelectorTerm {
  readonly expressions: readonly Requirement[];
  readonly fields: readonly FieldRequirement[];
  /** Why the term cannot be parsed, with the field to blame, the first one; it matches nothing then. */
  readonly problem: string | undefined;
}

/** Alternatives; without any, nothing matches. */
export interface NodeSelector {
  readonly terms: readonly NodeSelectorTerm[];
}

export interface PreferredNodeTerm {
  /** 1..100; API validation. */
  readonly weight: number;
  readonly term: NodeSelectorTerm;
}

export interface NodeIdentity {
  readonly name: string;
  readonly labels: Labels;
}

export function matchesTerm(term: NodeSelectorTerm, node: NodeIdentity): boolean {
  if (term.problem !== undefined || isEmptyTerm(term)) return false;
  return term.expressions.every((requirement) => isMet(requirement, node.labels)) && matchesFields(term.fields, node);
}

export function isEmptyTerm({ expressions, fields, problem }: NodeSelectorTerm): boolean {
  return expressions.length + fields.length === 0 && problem === undefined;
}

function matchesFields(fields: readonly FieldRequirement[], node: NodeIdentity): boolean {
  // Without a name there are no fields to look at, and fields are not tested.
  if (node.name === '') return true;
  return fields.every(({ key, operator, values }) => {
    const value = key === NAME_FIELD ? node.name : '';
    return (value === values[0]) === (operator === 'In');
  });
}

export const NAME_FIELD = 'metadata.name';

export function matchesNodeSelector(selector: NodeSelector, node: NodeIdentity): boolean {
  return selector.terms.some((term) => matchesTerm(term, node));
}

export interface RequiredNodes {
  /** spec.nodeSelector. */
  readonly pairs: Labels;
  readonly selector: NodeSelector | undefined;
}

/** spec.nodeSelector and the required node affinity together. */
export function matchesRequiredNodes({ pairs, selector }: RequiredNodes, node: NodeIdentity): boolean {
  if (!matchesLabels(selectorOfPairs(pairs), node.labels)) return false;
  return selector === undefined || matchesNodeSelector(selector, node);
}

/** Σ of the weights of the terms that match. */
export function preferenceOf(terms: readonly PreferredNodeTerm[], node: NodeIdentity): number {
  let sum = 0;
  for (const { weight, term } of terms) if (matchesTerm(term, node)) sum += weight;
  return sum;
}

/** The names that the terms allow, where each of them names nodes; undefined where one does not, or there are none. */
export function namedNodes(terms: readonly NodeSelectorTerm[]): Set<string> | undefined {
  if (terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const { fields } of terms) {
    const lists = fields
      .filter(({ key, operator }) => key === NAME_FIELD && operator === 'In')
      .map(({ values }) => values);
    if (lists.length === 0) return undefined;
    for (const name of lists[0]) if (lists.every((list) => list.includes(name))) names.add(name);
  }
  return names;
}
