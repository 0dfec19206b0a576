// Places a pod by the groups of its class: filters that look at topology, normalisation over all nodes that fit, and the best
// total, without a look at any node but the one that is taken. Cost: a few passes over the groups that have nodes.

import { hundredths } from '../model/division.ts';
import { naturalLogarithm } from '../model/natural-logarithm.ts';
import type { ScorePluginName } from '../model/scheduler-profile.ts';
import type { Groups } from './node-index.ts';
import type { PodClass } from './pod-class.ts';
import type { TopologyFailures } from './topology-failures.ts';

export interface Picked {
  readonly slot: number;
  /** Undefined: it was the only node, which is not scored. */
  readonly score: number | undefined;
}

const MEBIBYTE = 1024 * 1024;
const IMAGES_LEAST = 23 * MEBIBYTE;
const IMAGES_MOST_PER_CONTAINER = 1000 * MEBIBYTE;

/** For one class, used again and again. */
export class Picker {
  readonly #class: PodClass;
  readonly index: Groups;
  readonly #weights: Readonly<Record<ScorePluginName, number>>;
  readonly #failures: TopologyFailures;
  /** Groups that pass the filters, and their raw scores, in the same places. */
  readonly #groups: number[] = [];
  readonly #spread: number[] = [];
  readonly #attraction: number[] = [];
  /** By soft constraint: the last pick that met a domain. The first element stands for no label. */
  readonly #metDomains: Int32Array[];
  readonly #sizes: number[];
  #pick = 0;
  /** By trait, as long as no image and no node comes or goes. */
  #imageScores: number[] = [];
  #imagesVersion = -1;
  #nodeCount = -1;

  constructor(podClass: PodClass, index: Groups) {
    this.#class = podClass;
    this.index = index;
    const weights = Object.fromEntries(podClass.profile.scores.map(({ name, weight }) => [name, weight]));
    // Weight 0 for plugins that the profile has not.
    this.#weights = { ...NO_WEIGHTS, ...weights };
    this.#failures = podClass.topologyFailures;
    this.#metDomains = podClass.rules.soft.map(() => new Int32Array(64));
    this.#sizes = podClass.rules.soft.map(() => 0);
  }

  /** The best node, of several the one that changed last; undefined when no node fits. */
  pick(): Picked | undefined {
    const { counts, rows, width } = this.index;
    const groups = this.#groups;
    groups.length = 0;
    let nodeCount = 0;
    for (const group of this.index.live) {
      if (this.#failures.ofRow(rows, group * width) !== 0) continue;
      groups.push(group);
      nodeCount += counts[group];
    }
    if (nodeCount === 0) return undefined;
    if (nodeCount === 1) return { slot: this.index.bestOf(groups[0]), score: undefined };
    return this.#best();
  }

  /** Why no node fits: nodes by the number of the failure. */
  failureCounts(): Map<number, number> {
    const { counts, rows, width, failed, live } = this.index;
    const result = new Map<number, number>();
    for (const [failure, count] of failed.entries()) if (count > 0) result.set(failure, count);
    for (const group of live) {
      const failure = this.#failures.ofRow(rows, group * width);
      if (failure !== 0) result.set(failure, (result.get(failure) ?? 0) + counts[group]);
    }
    return result;
  }

  /** An error that a filter met on a node: the number of the failure. */
  errorFound(): number | undefined {
    const { errors } = this.#class;
    if (errors.size === 0) return undefined;
    const counts = this.failureCounts();
    return [...errors].find((failure) => (counts.get(failure) ?? 0) > 0);
  }

  /** Why the class does not fit on the node, with its crowd; 0: it does. There is such a node. */
  failureOf(slot: number): number {
    const { rows, width } = this.index;
    const group = this.index.groupOf(slot);
    return group < 0 ? -1 - group : this.#failures.ofRow(rows, group * width);
  }

  #best(): Picked {
    const { rows, width, tops } = this.index;
    const { rules, verdicts, state, score: room } = this.#class;
    const { stamps } = state.nodes;
    const { traits } = verdicts;
    const weights = this.#weights;
    const groups = this.#groups;
    let taintsMost = 0;
    let preferenceMost = 0;
    for (const group of groups) {
      const { taints, preference } = traits[rows[group * width]];
      if (taints > taintsMost) taintsMost = taints;
      if (preference > preferenceMost) preferenceMost = preference;
    }
    const spread = rules.soft.length > 0 ? this.#scoreSpread() : NO_RANGE;
    const attraction = rules.attraction.length > 0 ? this.#scoreAttraction() : NO_RANGE;
    this.#scoreImages();
    let bestTotal = -1;
    let bestSlot = -1;
    for (let i = 0; i < groups.length; i++) {
      const group = groups[i];
      const trait = rows[group * width];
      const { taints, preference } = traits[trait];
      let total = room.sumOf(tops[group]);
      total += weights.TaintToleration * (taintsMost === 0 ? 100 : 100 - hundredths(taints, taintsMost));
      if (preferenceMost > 0) total += weights.NodeAffinity * hundredths(preference, preferenceMost);
      if (rules.soft.length > 0) total += weights.PodTopologySpread * spreadScore(this.#spread[i], spread);
      if (rules.attraction.length > 0) {
        const range = attraction.most - attraction.least;
        // In this order: it is not the same as 100 × … / range.
        const part = range === 0 ? 0 : Math.trunc(100 * ((this.#attraction[i] - attraction.least) / range));
        total += weights.InterPodAffinity * part;
      }
      total += weights.ImageLocality * this.#imageScoreOf(trait);
      if (total < bestTotal) continue;
      const slot = this.index.bestOf(group);
      if (total === bestTotal && stamps[slot] < stamps[bestSlot]) continue;
      bestTotal = total;
      bestSlot = slot;
    }
    return { slot: bestSlot, score: bestTotal };
  }

  /** Raw scores of PodTopologySpread; −1 for groups that score nothing since they lack a key. */
  #scoreSpread(): Range {
    const { rows, width, counts } = this.index;
    const { soft, softNeedsAllKeys } = this.#class.rules;
    const groups = this.#groups;
    const raw = this.#spread;
    this.#pick = (this.#pick + 1) | 0;
    this.#sizes.fill(0);
    let scored = 0;
    for (let i = 0; i < groups.length; i++) {
      const start = groups[i] * width;
      raw[i] = softNeedsAllKeys && soft.some(({ figure }) => rows[start + figure.place] < 0) ? IGNORED : 0;
      if (raw[i] === IGNORED) continue;
      scored += counts[groups[i]];
      for (let s = 0; s < soft.length; s++) {
        if (!soft[s].figure.isHostname) this.#meet(s, rows[start + soft[s].figure.place]);
      }
    }
    for (let s = 0; s < soft.length; s++) if (soft[s].figure.isHostname) this.#sizes[s] = scored;
    const weights = this.#sizes.map((size) => naturalLogarithm(size + 2));
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let i = 0; i < groups.length; i++) {
      if (raw[i] === IGNORED) continue;
      let sum = 0;
      for (let s = 0; s < soft.length; s++) {
        const count = soft[s].figure.read(rows, groups[i] * width);
        if (count >= 0) sum += count * weights[s] + (soft[s].maxSkew - 1);
      }
      raw[i] = Math.round(sum);
      if (raw[i] < least) least = raw[i];
      if (raw[i] > most) most = raw[i];
    }
    return { least, most };
  }

  /** Counts the domain, once a pick. */
  #meet(soft: number, domain: number): void {
    let met = this.#metDomains[soft];
    if (domain + 1 >= met.length) {
      const longer = new Int32Array(2 * (domain + 2));
      longer.set(met);
      this.#metDomains[soft] = longer;
      met = longer;
    }
    if (met[domain + 1] === this.#pick) return;
    met[domain + 1] = this.#pick;
    this.#sizes[soft]++;
  }

  #scoreAttraction(): Range {
    const { rows, width } = this.index;
    let least = Number.POSITIVE_INFINITY;
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.#groups.length; i++) {
      let sum = 0;
      for (const figure of this.#class.rules.attraction) sum += figure.read(rows, this.#groups[i] * width);
      this.#attraction[i] = sum;
      if (sum < least) least = sum;
      if (sum > most) most = sum;
    }
    return { least, most };
  }

  #scoreImages(): void {
    const { images, nodes } = this.#class.state;
    if (images.version === this.#imagesVersion && nodes.count === this.#nodeCount) return;
    this.#imagesVersion = images.version;
    this.#nodeCount = nodes.count;
    this.#imageScores = [];
  }

  #imageScoreOf(trait: number): number {
    const known = this.#imageScores[trait];
    if (known !== undefined) return known;
    const { state, verdicts, containerCount } = this.#class;
    let sum = 0;
    for (const name of verdicts.traits[trait].images) sum += state.images.worthOf(name, state.nodes.count);
    const most = IMAGES_MOST_PER_CONTAINER * containerCount;
    const within = sum < IMAGES_LEAST ? IMAGES_LEAST : Math.min(sum, most);
    const score = Math.trunc((100 * (within - IMAGES_LEAST)) / (most - IMAGES_LEAST));
    this.#imageScores[trait] = score;
    return score;
  }
}

const IGNORED = -1;

interface Range {
  readonly least: number;
  readonly most: number;
}

const NO_RANGE: Range = { least: 0, most: 0 };

const NO_WEIGHTS: Readonly<Record<ScorePluginName, number>> = {
  TaintToleration: 0,
  NodeAffinity: 0,
  NodeResourcesFit: 0,
  PodTopologySpread: 0,
  InterPodAffinity: 0,
  NodeResourcesBalancedAllocation: 0,
  ImageLocality: 0,
};

function spreadScore(raw: number, { least, most }: Range): number {
  if (raw === IGNORED) return 0;
  return most === 0 ? 100 : hundredths(most + least - raw, most);
}
