// What a pod makes of where a node is: PodTopologySpread and InterPodAffinity, as figures of topology domains.
//
// A figure is a number that a domain has: a count of pods, or a sum of weights. Nodes of a domain share it, so nodes are grouped by
// domain, and figures are read when a pod is placed. Hostnames are the exception: there nearly every node is a domain of its own, so
// nodes are grouped by the figure itself, of which there are few.
//
//   row of a group:  [trait, late refusal, domain of key 1, domain of key 2, …, figure of hostname rule 1, …, crowd]
//
// A late refusal (pod-class.ts) is of a filter that comes behind one that looks at topology, 0 for none. The crowd (node-load.ts) is what pods bear
// on these rules that the node is nominated for; only where there are rules that filter.

import { type Labels, matchesLabels } from '../model/label-selector.ts';
import type { AffinityTerm, PodObject, SpreadConstraint } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { PodSpread } from './class-keys.ts';
import type { ClusterState } from './cluster-state.ts';
import type { DomainCounter } from './domain-counter.ts';
import { type HeldTerm, type HeldTermRole, looksAtNamespaces } from './held-terms.ts';
import { inclusionOf } from './inclusion.ts';
import { EVERY_NODE, type PodCounter } from './pod-counter.ts';
import type { PodKind } from './pod-table.ts';
import type { TopologyKey } from './topology.ts';

export const TRAIT_PLACE = 0;
export const LATE_PLACE = 1;
export const KEYS_PLACE = 2;

/** Of a domain that is −1 the node lacks the label. */
type FigureAt = (domain: number, slot: number) => number;

export class Figure {
  readonly isHostname: boolean;
  /** Its place in the row: of its domain, or of the figure itself for a hostname. */
  place: number;
  readonly topology: TopologyKey;
  readonly at: FigureAt;

  constructor(topology: TopologyKey, place: number, at: FigureAt) {
    this.topology = topology;
    this.isHostname = topology.isHostname;
    this.place = place;
    this.at = at;
  }

  read(rows: Int32Array, start: number): number {
    const value = rows[start + this.place];
    return this.isHostname ? value : this.at(value, -1);
  }
}

/** In what-ifs all pods count that match, also those of an empty selector and those on their way out: as upstream. */
type Matches = (kind: PodKind) => boolean;

export interface HardSpread {
  /** Pods in the domain, −1 where the label is missing. */
  readonly figure: Figure;
  readonly counter: PodCounter;
  readonly matches: Matches;
  readonly self: number;
  readonly maxSkew: number;
  readonly minDomains: number;
}

export interface SoftSpread {
  readonly figure: Figure;
  readonly maxSkew: number;
}

export interface WantedPods {
  /** Pods in the domain that match all required terms, −1 where the label is missing. */
  readonly figure: Figure;
  readonly counter: DomainCounter;
  readonly matches: Matches;
}

export interface UnwantedPods {
  /** 1 where such a pod is in the domain, −1 where the label is missing. */
  readonly figure: Figure;
  readonly counter: DomainCounter;
  readonly matches: Matches;
}

export interface RefusingTerms {
  /** 1 where a pod that holds one of them is in the domain, −1 where the label is missing. */
  readonly figure: Figure;
  readonly terms: readonly HeldTerm[];
}

export class TopologyRules {
  readonly hard: HardSpread[] = [];
  readonly soft: SoftSpread[] = [];
  /** A node that lacks a key of a soft constraint scores nothing. */
  readonly softNeedsAllKeys: boolean;
  readonly wanted: WantedPods[] = [];
  /** The pod is the first of its kind: it matches its own required affinity. */
  readonly wantsItself: boolean;
  /** Above 0: the node is refused. */
  readonly unwanted: UnwantedPods[] = [];
  readonly refusing: RefusingTerms[] = [];
  /** To be added up for the score of InterPodAffinity. */
  readonly attraction: Figure[] = [];
  /** Topology keys that are not the hostname: their domains are in the row from KEYS_PLACE on. */
  readonly keys: TopologyKey[] = [];
  readonly hostFigures: Figure[] = [];
  /** Where the crowd is in the row; −1: nothing here filters. */
  readonly crowdPlace: number;
  readonly width: number;
  readonly counters: Set<PodCounter> = new Set();
  /** What figures by hostname are made of: counts by domain of hostnames, and by node. A node without any has figures of 0. */
  readonly #hostDomains: Set<DomainCounter> = new Set();
  readonly #hostNodes: Set<PodCounter> = new Set();
  readonly #state: ClusterState;
  readonly #pod: PodObject;
  /** Terms of pods that are there up to this id have been looked at. */
  readonly #seenTerms: number;
  readonly #namespaceLabels: Labels;
  /** −1 where no term of the pod looks at the labels of namespaces. */
  readonly #namespaceVersion: number;

  constructor(state: ClusterState, pod: PodObject, profile: SchedulerProfile, spread: PodSpread) {
    this.#state = state;
    this.#pod = pod;
    this.#seenTerms = state.heldTerms.lastId;
    this.#namespaceLabels = state.namespaceLabels(pod.namespace);
    this.#namespaceVersion = selectsNamespaces(pod) ? state.objects.namespaceVersion : -1;
    const filters = (name: 'PodTopologySpread' | 'InterPodAffinity'): boolean => profile.filters.includes(name);
    const scores = (name: 'PodTopologySpread' | 'InterPodAffinity'): boolean =>
      profile.scores.some((score) => score.name === name);
    if (filters('PodTopologySpread')) this.#addHard(spread.hard);
    this.softNeedsAllKeys = pod.spreadConstraints.length > 0 || profile.spread.defaulting !== 'System';
    if (scores('PodTopologySpread')) this.#addSoft(spread.soft);
    const required = pod.affinity.required.map((term) => resolved(state, term));
    this.wantsItself = required.length > 0 && state.selectors.ofTerms(required).matches(pod.namespace, pod.labels);
    if (filters('InterPodAffinity')) this.#addRequired(required);
    if (scores('InterPodAffinity')) this.#addAttraction(profile);
    const before = KEYS_PLACE + this.keys.length;
    for (const [index, figure] of this.hostFigures.entries()) figure.place = before + index;
    const end = before + this.hostFigures.length;
    const filterCount = this.hard.length + this.wanted.length + this.unwanted.length + this.refusing.length;
    this.crowdPlace = filterCount > 0 ? end : -1;
    this.width = filterCount > 0 ? end + 1 : end;
  }

  /** Changes whenever a count changes that a filter here goes by. */
  get version(): number {
    let sum = 0;
    for (const { counter } of this.hard) sum += counter.domains.version;
    for (const { counter } of this.wanted) sum += counter.version;
    for (const { counter } of this.unwanted) sum += counter.version;
    for (const { terms } of this.refusing) for (const { holders } of terms) sum += holders.version;
    return sum;
  }

  /** InterPodAffinity has nothing to filter by, as pods are: it is passed over in what-ifs, too. */
  get skipsAffinity(): boolean {
    if (this.wanted.length > 0 || this.unwanted.length > 0) return false;
    return this.refusing.every(({ terms }) => terms.every(({ holders }) => holders.total === 0));
  }

  /** Terms of pods that are there have come since, and one of them may speak of this pod; or namespaces have other labels, which a term looks at. */
  get isOutdated(): boolean {
    const { heldTerms, objects } = this.#state;
    const { namespaceVersion } = objects;
    if (this.#namespaceVersion >= 0 && this.#namespaceVersion !== namespaceVersion) return true;
    const { terms, lastId } = heldTerms;
    if (heldTerms.selectingCount > 0 && this.#state.namespaceLabels(this.#pod.namespace) !== this.#namespaceLabels) {
      return true;
    }
    if (lastId === this.#seenTerms) return false;
    for (let i = terms.length - 1; i >= 0 && terms[i].id > this.#seenTerms; i--)
      if (this.#isMeant(terms[i])) return true;
    return false;
  }

  /** Nodes on which a figure by hostname may be other than 0, or so many at most: some may be told twice. */
  get exceptionCount(): number {
    let count = 0;
    for (const { counts } of this.#hostDomains) count += counts.size;
    for (const { nodes } of this.#hostNodes) count += nodes.size;
    return count;
  }

  eachException(visit: (slot: number) => void): void {
    const topology = this.hostFigures[0]?.topology;
    if (topology === undefined) return;
    for (const { counts } of this.#hostDomains) {
      counts.forEach((domain) => {
        for (const slot of topology.slotsOf(domain)) visit(slot);
      });
    }
    for (const { nodes } of this.#hostNodes) nodes.forEach(visit);
  }

  markUsed(round: number): void {
    for (const counter of this.counters) counter.round = round;
    for (const topology of this.keys) topology.round = round;
    for (const { topology } of this.hostFigures) topology.round = round;
  }

  #addHard(constraints: readonly SpreadConstraint[]): void {
    const keys = constraints.map(({ topologyKey }) => topologyKey);
    for (const constraint of constraints) {
      const { counter, topology } = this.#spreadCounter(constraint, keys);
      const { domains } = counter;
      if (topology.isHostname) this.#hostDomains.add(domains);
      const { selector, maxSkew, minDomains } = constraint;
      this.hard.push({
        figure: this.#figure(topology, (domain) => (domain < 0 ? -1 : domains.at(domain))),
        counter,
        matches: ({ namespace, labels }) => namespace === this.#pod.namespace && matchesLabels(selector, labels),
        self: matchesLabels(selector, this.#pod.labels) ? 1 : 0,
        maxSkew,
        minDomains,
      });
    }
  }

  #addSoft(constraints: readonly SpreadConstraint[]): void {
    const keys = this.softNeedsAllKeys ? constraints.map(({ topologyKey }) => topologyKey) : [];
    for (const constraint of constraints) {
      const { maxSkew } = constraint;
      const topology = this.#state.topology(constraint.topologyKey);
      let at: FigureAt;
      if (topology.isHostname) {
        const counter = this.#nodeCounter(constraint);
        this.#hostNodes.add(counter);
        at = (domain, slot) => (domain < 0 ? -1 : counter.onNode(slot));
      } else {
        const { domains } = this.#spreadCounter(constraint, keys).counter;
        at = (domain) => (domain < 0 ? -1 : domains.at(domain));
      }
      this.soft.push({ figure: this.#figure(topology, at), maxSkew });
    }
  }

  #spreadCounter(
    { selector, topologyKey, honorsAffinity, honorsTaints }: SpreadConstraint,
    keys: readonly string[],
  ): { counter: PodCounter; topology: TopologyKey } {
    const topology = this.#state.topology(topologyKey);
    const counter = this.#state.counters.counter({
      selector: this.#state.selectors.ofSpread(this.#pod.namespace, selector),
      topology,
      inclusion: inclusionOf(this.#state.nodes, { pod: this.#pod, honorsAffinity, honorsTaints, keys }),
      skipsTerminating: true,
    });
    this.counters.add(counter);
    return { counter, topology };
  }

  #nodeCounter({ selector }: SpreadConstraint): PodCounter {
    const counter = this.#state.counters.counter({
      selector: this.#state.selectors.ofSpread(this.#pod.namespace, selector),
      topology: undefined,
      inclusion: EVERY_NODE,
      skipsTerminating: true,
    });
    this.counters.add(counter);
    return counter;
  }

  #addRequired(affinity: readonly AffinityTerm[]): void {
    for (const { topologyKey } of affinity) {
      const { topology, domains, matches } = this.#termCounter(affinity, topologyKey);
      const at: FigureAt = (domain) => (domain < 0 ? -1 : domains.at(domain));
      this.wanted.push({ figure: this.#figure(topology, at), counter: domains, matches });
    }
    for (const term of this.#pod.antiAffinity.required) {
      const { topology, domains, matches } = this.#termCounter([resolved(this.#state, term)], term.topologyKey);
      const at: FigureAt = (domain) => (domain < 0 ? -1 : Math.min(1, domains.at(domain)));
      this.unwanted.push({ figure: this.#figure(topology, at), counter: domains, matches });
    }
    for (const [topology, terms] of this.#meant('required-anti')) {
      if (topology.isHostname) for (const { holders } of terms) this.#hostDomains.add(holders);
      const at: FigureAt = (domain) => {
        if (domain < 0) return -1;
        return terms.some(({ holders }) => holders.at(domain) > 0) ? 1 : 0;
      };
      this.refusing.push({ figure: this.#figure(topology, at), terms });
    }
  }

  #addAttraction({ affinity }: SchedulerProfile): void {
    const pod = this.#pod;
    const prefers = pod.affinity.preferred.length + pod.antiAffinity.preferred.length > 0;
    if (affinity.ignorePreferredTermsOfExistingPods && !prefers) return;
    const parts = new Map<TopologyKey, { readonly domains: DomainCounter; readonly weight: number }[]>();
    const add = (topology: TopologyKey, domains: DomainCounter, weight: number): void => {
      const list = parts.get(topology) ?? [];
      list.push({ domains, weight });
      parts.set(topology, list);
    };
    const addOwn = (terms: PodObject['affinity']['preferred'], sign: 1 | -1): void => {
      for (const term of terms) {
        const { topology, domains } = this.#termCounter([resolved(this.#state, term)], term.topologyKey);
        add(topology, domains, sign * term.weight);
      }
    };
    addOwn(pod.affinity.preferred, 1);
    addOwn(pod.antiAffinity.preferred, -1);
    const addHeld = (role: HeldTermRole, weightOf: (held: HeldTerm) => number): void => {
      for (const [topology, terms] of this.#meant(role)) {
        for (const held of terms) {
          if (topology.isHostname) this.#hostDomains.add(held.holders);
          add(topology, held.holders, weightOf(held));
        }
      }
    };
    if (affinity.hardPodAffinityWeight > 0) addHeld('required', () => affinity.hardPodAffinityWeight);
    addHeld('preferred', ({ weight }) => weight);
    addHeld('preferred-anti', ({ weight }) => -weight);
    for (const [topology, list] of parts) {
      const at: FigureAt = (domain) => {
        if (domain < 0) return 0;
        let sum = 0;
        for (const { domains, weight } of list) sum += weight * domains.at(domain);
        return sum;
      };
      this.attraction.push(this.#figure(topology, at));
    }
  }

  #termCounter(
    terms: readonly AffinityTerm[],
    topologyKey: string,
  ): { topology: TopologyKey; domains: DomainCounter; matches: Matches } {
    const topology = this.#state.topology(topologyKey);
    const selector = this.#state.selectors.ofTerms(terms);
    const options = { selector, topology, inclusion: EVERY_NODE, skipsTerminating: false };
    const counter = this.#state.counters.counter(options);
    this.counters.add(counter);
    if (topology.isHostname) this.#hostDomains.add(counter.domains);
    const matches: Matches = ({ namespace, labels }) => selector.matches(namespace, labels);
    return { topology, domains: counter.domains, matches };
  }

  #figure(topology: TopologyKey, at: FigureAt): Figure {
    if (topology.isHostname) {
      // Behind the keys, once all of them are known.
      const figure = new Figure(topology, -1, at);
      this.hostFigures.push(figure);
      return figure;
    }
    const known = this.keys.indexOf(topology);
    const index = known < 0 ? this.keys.push(topology) - 1 : known;
    return new Figure(topology, KEYS_PLACE + index, at);
  }

  /** Terms of pods that are there which speak of this pod, by topology key. */
  #meant(role: HeldTermRole): Map<TopologyKey, HeldTerm[]> {
    const terms = this.#state.heldTerms.terms.filter((held) => held.role === role && this.#isMeant(held));
    return Map.groupBy(terms, ({ topology }) => topology);
  }

  #isMeant({ term }: HeldTerm): boolean {
    return meansPod(this.#state, term, this.#pod);
  }
}

function meansPod(state: ClusterState, term: AffinityTerm, { namespace, labels }: PodObject): boolean {
  const isInNamespace =
    term.namespaces.has(namespace) || matchesLabels(term.namespaceSelector, state.namespaceLabels(namespace));
  return isInNamespace && matchesLabels(term.selector, labels);
}

function selectsNamespaces({ affinity, antiAffinity }: PodObject): boolean {
  const terms = [affinity.required, affinity.preferred, antiAffinity.required, antiAffinity.preferred];
  return terms.some((list) => list.some(looksAtNamespaces));
}

/** With the names of the namespaces that its selector finds now. */
function resolved<T extends AffinityTerm>(state: ClusterState, term: T): T {
  if (!looksAtNamespaces(term)) return term;
  const names = new Set(term.namespaces);
  for (const { name, labels } of state.objects.all('Namespace'))
    if (matchesLabels(term.namespaceSelector, labels)) names.add(name);
  return { ...term, namespaces: names };
}
