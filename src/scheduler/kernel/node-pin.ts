// Pods that name the one node they may go to: those of a DaemonSet (node affinity by metadata.name), and those that select a hostname.
//
// The name is taken apart from the pod, so that all pods of a DaemonSet are of one class, and only that node is looked at: as it is the only one that may fit,
// nothing is scored. Of a pod that does not fit the other nodes are counted without a look at them: by its name upstream leaves them out
// before any filter; by its hostname each is refused by its first filter, as it is for a pod that fits nowhere.
//
// Not for pods with hard spread constraints: which nodes these count depends on the node that is named. Nor for those with volumes where a filter
// may fail on some other node, which ends the decision.

import {
  isEmptyTerm,
  NAME_FIELD,
  type NodeSelector,
  type NodeSelectorTerm,
  type RequiredNodes,
} from '../model/node-selector.ts';
import { HOSTNAME } from './topology.ts';

export interface NodePin {
  /** What `value` is. */
  readonly by: 'name' | 'hostname';
  readonly value: string;
  /** What else the pod requires of the node. */
  readonly rest: RequiredNodes;
}

const NO_PAIRS: RequiredNodes['pairs'] = new Map();
const NOTHING_ELSE: RequiredNodes = { pairs: NO_PAIRS, selector: undefined };
const NO_NODE: NodeSelector = { terms: [] };

/** The pin of what a pod requires; undefined where it leaves a choice, or is not as simple as these are. */
export function pinOf({ pairs, selector }: RequiredNodes): NodePin | undefined {
  const hostname = pairs.get(HOSTNAME);
  if (selector === undefined) {
    return hostname === undefined
      ? undefined
      : { by: 'hostname', value: hostname, rest: restOf(withoutHostname(pairs)) };
  }
  const name = commonOf(selector, nameIn);
  if (name !== undefined) return { by: 'name', value: name, rest: restOf(pairs, without(selector, 'name')) };
  if (hostname !== undefined) {
    return isNamingNodes(selector)
      ? undefined
      : { by: 'hostname', value: hostname, rest: restOf(withoutHostname(pairs), selector) };
  }
  const other = commonOf(selector, hostnameIn);
  return other === undefined
    ? undefined
    : { by: 'hostname', value: other, rest: restOf(pairs, without(selector, 'hostname')) };
}

/** What the pod requires of nodes that have another hostname: none meets it. */
export const ELSEWHERE: RequiredNodes = { pairs: NO_PAIRS, selector: NO_NODE };

/** What each of the terms says; undefined where one does not, or says something else. */
function commonOf({ terms }: NodeSelector, partOf: (term: NodeSelectorTerm) => string | undefined): string | undefined {
  const value = terms.length === 0 ? undefined : partOf(terms[0]);
  return terms.every((term) => partOf(term) === value) ? value : undefined;
}

function nameIn({ fields, problem }: NodeSelectorTerm): string | undefined {
  const [field] = fields;
  if (problem !== undefined || fields.length !== 1) return undefined;
  return field.key === NAME_FIELD && field.operator === 'In' ? field.values[0] : undefined;
}

function hostnameIn({ expressions, fields, problem }: NodeSelectorTerm): string | undefined {
  if (problem !== undefined || fields.length > 0) return undefined;
  const named = expressions.filter(({ key }) => key === HOSTNAME);
  return named.length === 1 && named[0].operator === 'In' && named[0].values.length === 1
    ? named[0].values[0]
    : undefined;
}

function isNamingNodes({ terms }: NodeSelector): boolean {
  return terms.some(({ fields }) => fields.length > 0);
}

/** The terms without what pins them; undefined where one has nothing else, and is met therefore. */
function without({ terms }: NodeSelector, by: NodePin['by']): NodeSelector | undefined {
  const rest = terms.map((term) =>
    by === 'name'
      ? { ...term, fields: [] }
      : { ...term, expressions: term.expressions.filter(({ key }) => key !== HOSTNAME) },
  );
  return rest.some(isEmptyTerm) ? undefined : { terms: rest };
}

function withoutHostname(pairs: RequiredNodes['pairs']): RequiredNodes['pairs'] {
  const rest = new Map(pairs);
  rest.delete(HOSTNAME);
  return rest;
}

/** One object where there is nothing, as there nearly always is. */
function restOf(pairs: RequiredNodes['pairs'], selector?: NodeSelector): RequiredNodes {
  return pairs.size === 0 && selector === undefined ? NOTHING_ELSE : { pairs, selector };
}
