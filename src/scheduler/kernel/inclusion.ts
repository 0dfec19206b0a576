// Which nodes count for a pod's spread constraint (KEP-3094): those with all topology keys, that the pod's node affinity
// allows and whose taints it tolerates, as far as the constraint honours each.

import { matchesRequiredNodes, type RequiredNodes } from '../model/node-selector.ts';
import type { PodObject } from '../model/pod-object.ts';
import { type Toleration, toleratesNode } from '../model/toleration.ts';
import type { Inclusion } from './domain-nodes.ts';
import { canonicalText } from './interner.ts';
import type { NodeTable } from './node-table.ts';
import { HOSTNAME } from './topology.ts';

const UNKNOWN = 0;
const INCLUDED = 1;
const EXCLUDED = 2;

export interface InclusionOptions {
  readonly pod: PodObject;
  readonly honorsAffinity: boolean;
  readonly honorsTaints: boolean;
  /** Labels that a node has to have. */
  readonly keys: readonly string[];
}

export function inclusionOf(
  nodes: NodeTable,
  { pod, honorsAffinity, honorsTaints, keys }: InclusionOptions,
): Inclusion {
  const { requiredNodes, tolerations } = pod;
  const isFree = requiredNodes.pairs.size === 0 && requiredNodes.selector === undefined;
  const required = honorsAffinity && !isFree ? requiredNodes : undefined;
  const tolerated = honorsTaints ? tolerations : undefined;
  const unique = [...new Set(keys)].sort();
  const key = canonicalText([required, tolerated, unique]);
  return new NodeInclusion(nodes, key, required, tolerated, unique);
}

class NodeInclusion implements Inclusion {
  readonly key: string;
  readonly #nodes: NodeTable;
  readonly #required: RequiredNodes | undefined;
  readonly #tolerated: readonly Toleration[] | undefined;
  readonly #shapeKeys: readonly string[];
  readonly #needsHostname: boolean;
  readonly #isByNode: boolean;
  /** By shape. */
  readonly #known: number[] = [];

  constructor(
    nodes: NodeTable,
    key: string,
    required: RequiredNodes | undefined,
    tolerated: readonly Toleration[] | undefined,
    keys: readonly string[],
  ) {
    this.key = key;
    this.#nodes = nodes;
    this.#required = required;
    this.#tolerated = tolerated;
    this.#shapeKeys = keys.filter((name) => name !== HOSTNAME);
    this.#needsHostname = keys.includes(HOSTNAME);
    this.#isByNode = required !== undefined && looksAtNames(required);
  }

  includes(slot: number): boolean {
    if (this.#needsHostname && this.#nodes.hostnames[slot] === undefined) return false;
    const shape = this.#nodes.shapeIds[slot];
    let known = this.#known[shape] ?? UNKNOWN;
    if (known === UNKNOWN) {
      known = this.#includesShape(slot) ? INCLUDED : EXCLUDED;
      this.#known[shape] = known;
    }
    if (known === EXCLUDED || !this.#isByNode || this.#required === undefined) return known === INCLUDED;
    return matchesRequiredNodes(this.#required, { name: this.#nodes.names[slot], labels: this.#nodes.labelsAt(slot) });
  }

  forgetShapes(shapes: readonly number[]): void {
    for (const shape of shapes) this.#known[shape] = UNKNOWN;
  }

  #includesShape(slot: number): boolean {
    const { labels, taints } = this.#nodes.shapeAt(slot);
    if (!this.#shapeKeys.every((name) => labels.has(name))) return false;
    if (this.#tolerated !== undefined && !toleratesNode(this.#tolerated, taints)) return false;
    if (this.#required === undefined || this.#isByNode) return true;
    return matchesRequiredNodes(this.#required, { name: this.#nodes.names[slot], labels });
  }
}

function looksAtNames({ pairs, selector }: RequiredNodes): boolean {
  if (pairs.has(HOSTNAME)) return true;
  return (selector?.terms ?? []).some(
    ({ expressions, fields }) => fields.length > 0 || expressions.some(({ key }) => key === HOSTNAME),
  );
}
