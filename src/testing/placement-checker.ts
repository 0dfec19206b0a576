// Judges a scheduler by the store's history of pods and nodes: was each binding one that it may have decided?
//
// Always, at the revision of each binding and so at every revision, since nothing else adds to a node:
//
//   bound once      a pod's nodeName is set at most once and stays
//   capacity        requests and number of the node's pods are within what it can allocate
//   ports           no two pods of a node have the same host port
//   anti-affinity   no required term, of the pod or of one that is there, is broken
//
// These cannot be excused by what the scheduler did not know yet: a scheduler takes its own decisions for granted before they are bound, so of two
// pods that do not go together the one decided later was decided against the other; deletions only make room. They need one scheduler at a time.
//
// The others look at the state that a decision was made upon, which is not that of the binding's revision. Where a run observed it, the binding
// says up to which revisions of pods and of nodes (`decidedUpon`): these come by watches of their own, and either may be behind for as long as a process
// stands still. Nodes are then judged as they were at that very revision. Else the binding carries the resourceVersion that the pod had when
// it was decided, so the decision saw at least everything up to that revision (`seenAt`) in the order of the store, and of nodes what there
// was `nodeLagMs` before; what it saw beyond lies before the binding. Pods of other bindings may have been taken for granted. Over that stretch:
//
//   node            some version of the node lets the pod in: cordon, taints, selector
//   affinity        some pod that matches is in the domain, or no pod matches anywhere and the pod itself does
//   spread          the domain's pods that were there all the time, and this one, are within maxSkew of the most that
//                   the emptiest domain may have been seen to have
//
// Of the last two it is told how they hold: `held` also in the very state before the binding; `inFlight`, in other states and with bindings of
// that stretch; `failedBindings`, only if bindings were assumed that never came about. Without faults there are none of the latter.
//
// Not judged: namespace selectors, spread with node affinity or honoured taints, minDomains. Where they are met, `notJudged` counts.

import { isEmptySelector, matchesLabels } from '../scheduler/model/label-selector.ts';
import type { NodeObject } from '../scheduler/model/node-object.ts';
import { matchesRequiredNodes } from '../scheduler/model/node-selector.ts';
import type { AffinityTerm, HostPort, PodObject, SpreadConstraint } from '../scheduler/model/pod-object.ts';
import { amountNamed } from '../scheduler/model/resources.ts';
import { isTolerated, toleratesNode } from '../scheduler/model/toleration.ts';
import { type PlacementChange, PlacementHistory, type PodTrack } from './placement-history.ts';

export type PlacementRule =
  | 'bound once'
  | 'readable'
  | 'capacity'
  | 'ports'
  | 'anti-affinity'
  | 'node'
  | 'affinity'
  | 'spread';

export interface PlacementViolation {
  readonly rule: PlacementRule;
  readonly revision: number;
  readonly text: string;
}

export interface PlacementCounts {
  bindings: number;
  affinities: number;
  spreads: number;
  held: number;
  inFlight: number;
  failedBindings: number;
  notJudged: number;
}

export interface PlacementOptions {
  /** How much later than pods nodes may be seen. */
  readonly nodeLagMs: number;
  /** How much older than `seenAt` some pods may be seen: while a list is being read. */
  readonly podLagMs: number;
  /** What there was by then every scheduler knows. */
  readonly knownFrom: number;
}

export function checkPlacements(
  changes: readonly PlacementChange[],
  options: PlacementOptions,
): { readonly violations: readonly PlacementViolation[]; readonly counts: PlacementCounts } {
  const judge = new PlacementJudge(new PlacementHistory(changes), options);
  return judge.judge();
}

const CORDONED = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };
const EVERY_ADDRESS = '0.0.0.0';
/** What may be granted, the least first. */
const GRANTS = ['inFlight', 'failedBindings'] as const;
type Grant = 'held' | (typeof GRANTS)[number];

/** The stretch of history that a decision may have been made upon. */
interface Stretch {
  /** The oldest and the newest revision of pods, and of nodes, that may have been seen. */
  readonly podsFrom: number;
  readonly podsTo: number;
  readonly nodesFrom: number;
  readonly nodesTo: number;
  /** The last one before the binding: what was bound by then may have been taken for granted. */
  readonly to: number;
}

class PlacementJudge {
  readonly #history: PlacementHistory;
  readonly #options: PlacementOptions;
  readonly #violations: PlacementViolation[];
  readonly #counts: PlacementCounts = {
    bindings: 0,
    affinities: 0,
    spreads: 0,
    held: 0,
    inFlight: 0,
    failedBindings: 0,
    notJudged: 0,
  };
  readonly #tracks: readonly PodTrack[];

  constructor(history: PlacementHistory, options: PlacementOptions) {
    this.#history = history;
    this.#options = options;
    this.#violations = [...history.problems];
    this.#tracks = [...history.pods.values()];
  }

  judge(): { violations: PlacementViolation[]; counts: PlacementCounts } {
    for (const track of this.#history.bindings) {
      this.#counts.bindings++;
      const at = track.boundAt;
      const stretch = this.#stretchOf(track);
      const there = this.#tracks.filter((other) => other !== track && other.boundAt < at && other.goneAt > at);
      this.#judgeRoom(track, there, stretch);
      this.#judgeAntiAffinity(track, there, stretch);
      this.#judgeNode(track, stretch);
      this.#judgeByGrant('affinity', track, (grant) => this.#isWanted(track, stretch, grant));
      for (const constraint of track.pod.spreadConstraints) {
        if (!constraint.isHard) continue;
        if (!isJudgeable(track.pod, constraint)) this.#counts.notJudged++;
        else this.#judgeByGrant('spread', track, (grant) => this.#isSpread(track, constraint, stretch, grant));
      }
    }
    return { violations: this.#violations, counts: this.#counts };
  }

  #stretchOf({ seenAt, boundAt, decidedUpon }: PodTrack): Stretch {
    const { podLagMs, nodeLagMs, knownFrom } = this.#options;
    const to = boundAt - 1;
    if (decidedUpon !== undefined) {
      const { pods, nodes } = decidedUpon;
      return { podsFrom: pods, podsTo: pods, nodesFrom: nodes, nodesTo: nodes, to };
    }
    const from = (lagMs: number): number => {
      return Math.min(to, Math.max(knownFrom, this.#history.before(Math.min(seenAt, to), lagMs)));
    };
    return { podsFrom: from(podLagMs), podsTo: to, nodesFrom: from(nodeLagMs), nodesTo: to, to };
  }

  #report(rule: PlacementRule, { pod, nodeName, boundAt, seenAt, decidedUpon }: PodTrack, why: string): void {
    const upon =
      decidedUpon === undefined
        ? `at ${seenAt} or later`
        : `upon pods of ${decidedUpon.pods} and nodes of ${decidedUpon.nodes}`;
    const text = `${pod.namespace}/${pod.name} on ${nodeName}, decided ${upon}: ${why}`;
    this.#violations.push({ rule, revision: boundAt, text });
  }

  #judgeRoom(track: PodTrack, there: readonly PodTrack[], { nodesFrom, nodesTo, to }: Stretch): void {
    const { pod, nodeName } = track;
    const others = there.filter((other) => other.nodeName === nodeName);
    // Where the node is away, what it was.
    const versions = this.#history.nodes.get(nodeName)?.filter(({ revision }) => revision <= to) ?? [];
    const known = this.#history.versionsOf(nodeName, nodesFrom, nodesTo).flatMap(({ node }) => node ?? []);
    const nodes = known.length > 0 ? known : versions.flatMap(({ node }) => node ?? []).slice(-1);
    const lacking = nodes.map((node) => lackOf(node, [pod, ...others.map((other) => other.pod)]));
    if (lacking.length > 0 && lacking.every((lack) => lack !== '')) {
      this.#report('capacity', track, `${lacking[0]} with ${others.map((other) => other.pod.name).join(', ')}`);
    }
    for (const other of others) {
      if (pod.hostPorts.some((a) => other.pod.hostPorts.some((b) => doClash(a, b)))) {
        this.#report('ports', track, `${other.pod.name} has the port since ${other.boundAt}`);
      }
    }
  }

  #judgeAntiAffinity(track: PodTrack, there: readonly PodTrack[], stretch: Stretch): void {
    const { pod } = track;
    for (const other of there) {
      const terms = [
        ...pod.antiAffinity.required.filter((term) => this.#matches(term, other.pod)),
        ...other.pod.antiAffinity.required.filter((term) => this.#matches(term, pod)),
      ];
      if (!terms.some((term) => this.#isTogether(track, other, term.topologyKey))) continue;
      // What is on a node that is away counts in no domain but its own.
      if (other.nodeName !== track.nodeName && !this.#history.wasThere(other.nodeName, stretch.nodesFrom, stretch.to)) {
        continue;
      }
      this.#report('anti-affinity', track, `${other.pod.name} is on ${other.nodeName} since ${other.boundAt}`);
    }
  }

  #isTogether(track: PodTrack, other: PodTrack, topologyKey: string): boolean {
    const domain = this.#domainOf(track, topologyKey);
    return domain !== undefined && domain === this.#domainOf(other, topologyKey);
  }

  #domainOf({ nodeName, boundAt }: PodTrack, topologyKey: string): string | undefined {
    return this.#history.labelOf(nodeName, topologyKey, boundAt);
  }

  #judgeNode(track: PodTrack, { nodesFrom, nodesTo }: Stretch): void {
    const { pod, nodeName } = track;
    const versions = this.#history.versionsOf(nodeName, nodesFrom, nodesTo);
    if (versions.some(({ node }) => node !== undefined && letsIn(node, pod))) return;
    const what = versions.map(({ revision, node }) => `${revision} ${node === undefined ? 'away' : 'closed to it'}`);
    this.#report('node', track, what.length === 0 ? 'there is no such node' : what.join(', '));
  }

  #judgeByGrant(rule: 'affinity' | 'spread', track: PodTrack, holds: (grant: Grant) => boolean): void {
    if (rule === 'affinity' && track.pod.affinity.required.length === 0) return;
    if (rule === 'affinity') this.#counts.affinities++;
    else this.#counts.spreads++;
    const grant = GRANTS.find(holds);
    if (grant === undefined) this.#report(rule, track, 'not in any state that may have been seen');
    else this.#counts[holds('held') ? 'held' : grant]++;
  }

  #matches(term: AffinityTerm, other: PodObject): boolean {
    if (!term.namespaceSelector.matchesNothing) this.#counts.notJudged++;
    return term.namespaces.has(other.namespace) && matchesLabels(term.selector, other.labels);
  }

  #isWanted(track: PodTrack, stretch: Stretch, grant: Grant): boolean {
    const terms = track.pod.affinity.required;
    const isMatch = (other: PodObject): boolean => terms.every((term) => this.#matches(term, other));
    const matching = this.#tracks.filter((other) => other !== track && isMatch(other.pod));
    const isThere = ({ topologyKey }: AffinityTerm): boolean =>
      matching.some((other) => {
        if (grant === 'failedBindings' && mayBeAssumed(other, stretch)) return true;
        return this.#isTogether(track, other, topologyKey) && this.#maybeSeen(other, other.goneAt, stretch, grant);
      });
    if (terms.every(isThere)) return true;
    return isMatch(track.pod) && this.#maybeNone(matching, stretch, grant);
  }

  /** Whether none of them may have been seen on any node. */
  #maybeNone(matching: readonly PodTrack[], stretch: Stretch, grant: Grant): boolean {
    const { podsFrom, podsTo, nodesFrom, nodesTo } = grant === 'held' ? stateBefore(stretch) : stretch;
    const certain = matching.filter(
      (other) => other.boundAt <= podsTo && this.#history.wasThere(other.nodeName, nodesFrom, nodesTo),
    );
    const moments = [podsFrom, ...certain.map(({ goneAt }) => goneAt)];
    return moments.some(
      (at) => at >= podsFrom && at <= podsTo && !certain.some(({ boundAt, goneAt }) => boundAt <= at && at < goneAt),
    );
  }

  /** Whether a scheduler may have counted it where it was or came to be. `until`: what it counts up to. */
  #maybeSeen({ boundAt, nodeName, createdAt }: PodTrack, until: number, stretch: Stretch, grant: Grant): boolean {
    const { podsFrom, podsTo, to } = stretch;
    if (grant === 'held') return boundAt <= to && until > to && this.#history.wasThere(nodeName, to, to);
    if (createdAt > podsTo) return false;
    if (boundAt <= to) return until > podsFrom;
    return boundAt !== Number.POSITIVE_INFINITY;
  }

  #isSpread(track: PodTrack, constraint: SpreadConstraint, stretch: Stretch, grant: Grant): boolean {
    const { topologyKey, selector, maxSkew } = constraint;
    const { podsFrom, podsTo, nodesFrom, nodesTo } = grant === 'held' ? stateBefore(stretch) : stretch;
    const own = this.#domainOf(track, topologyKey);
    if (own === undefined) return false;
    const counted = isEmptySelector(selector)
      ? []
      : this.#tracks.filter(
          (other) =>
            other !== track && other.pod.namespace === track.pod.namespace && matchesLabels(selector, other.pod.labels),
        );
    const most = new Map(this.#domains(topologyKey, nodesFrom, nodesTo).map((name) => [name, 0]));
    const assumable = grant === 'failedBindings' ? counted.filter((other) => mayBeAssumed(other, stretch)) : [];
    let least = 0;
    for (const other of counted) {
      const until = Math.min(other.goneAt, other.terminatingAt);
      const domain = other.nodeName === '' ? undefined : this.#domainOf(other, topologyKey);
      if (domain === undefined || !this.#maybeSeen(other, until, stretch, grant)) continue;
      if (!assumable.includes(other) && most.has(domain)) most.set(domain, (most.get(domain) ?? 0) + 1);
      const isCertain = other.boundAt <= podsFrom && until > podsTo;
      if (domain === own && isCertain && this.#history.wasThere(other.nodeName, nodesFrom, nodesTo)) least++;
    }
    const emptiest = Math.min(...most.values()) + assumable.length;
    const self = matchesLabels(selector, track.pod.labels) ? 1 : 0;
    return least + self - emptiest <= maxSkew;
  }

  /** Those that had a node all the time. */
  #domains(topologyKey: string, from: number, to: number): string[] {
    const domains = new Set<string>();
    for (const name of this.#history.nodes.keys()) {
      const domain = this.#history.labelOf(name, topologyKey, to);
      if (domain !== undefined && this.#history.wasThere(name, from, to)) domains.add(domain);
    }
    return [...domains];
  }
}

/** As if decided upon the very state before the binding. */
function stateBefore({ to }: Stretch): Stretch {
  return { podsFrom: to, podsTo: to, nodesFrom: to, nodesTo: to, to };
}

/** It had no node at some time, and a binding of it may have been on its way to any. */
function mayBeAssumed({ createdAt, boundAt, goneAt }: PodTrack, { podsFrom, podsTo }: Stretch): boolean {
  return createdAt <= podsTo && boundAt > podsFrom && goneAt > podsFrom;
}

function isJudgeable(pod: PodObject, { honorsAffinity, honorsTaints, minDomains }: SpreadConstraint): boolean {
  const { pairs, selector } = pod.requiredNodes;
  const isNarrow = honorsAffinity && (pairs.size > 0 || selector !== undefined);
  return !isNarrow && !honorsTaints && minDomains === 1;
}

function letsIn(node: NodeObject, pod: PodObject): boolean {
  if (node.isUnschedulable && !isTolerated(pod.tolerations, CORDONED)) return false;
  return toleratesNode(pod.tolerations, node.taints) && matchesRequiredNodes(pod.requiredNodes, node);
}

/** What the pods have more of than the node, '' for nothing. */
function lackOf(node: NodeObject, pods: readonly PodObject[]): string {
  if (pods.length > node.podsMax) return `${pods.length} pods of ${node.podsMax}`;
  const names = new Set(['cpu', 'memory', 'ephemeral-storage']);
  for (const { requests } of pods) for (const name of requests.onNode.scalars.keys()) names.add(name);
  for (const name of names) {
    const asked = pods.reduce((sum, { requests }) => sum + amountNamed(requests.onNode, name), 0);
    const amount = amountNamed(node.allocatable, name);
    if (asked > amount) return `${asked} ${name} of ${amount}`;
  }
  return '';
}

function doClash(a: HostPort, b: HostPort): boolean {
  if (a.port !== b.port || a.protocol !== b.protocol) return false;
  return a.ip === b.ip || a.ip === EVERY_ADDRESS || b.ip === EVERY_ADDRESS;
}
