// NodeVolumeLimits: the CSI volumes that a pod adds to its node, against what its driver attaches there (attached-volumes.ts).
//
// A volume that no pod uses yet counts as one of its driver; one that is in use goes by its handle, since it costs nothing where it already is.

import { claimOf, ownershipProblem } from '../model/claim-lookup.ts';
import type { PodObject } from '../model/pod-object.ts';
import type { CsiSource } from '../model/pod-volume.ts';
import { handleKeyOf, NAMELESS_CLAIM, sourceOfClaim } from './attached-volumes.ts';
import type { ClusterState } from './cluster-state.ts';
import type { FailureTable } from './failure-table.ts';
import { canonicalText } from './interner.ts';
import type { NodeFilter } from './node-filter.ts';
import type { NodeLoad } from './node-load.ts';

const EXCEEDED = 'node(s) exceed max volume count';

/** The CSI volumes that a pod adds to its node. */
export class NewVolumes {
  /** Those that no pod uses, by driver. */
  readonly unused: Map<string, number> = new Map();
  /** Those that may be on a node already, each once. */
  readonly used: Map<string, CsiSource> = new Map();
  /** Why they cannot be told: NodeVolumeLimits says so of every node. */
  readonly problem: { readonly text: string; readonly isError: boolean } | undefined;
  /** Whether there is anything to look at. */
  readonly isAny: boolean;

  constructor(state: ClusterState, pod: PodObject) {
    this.isAny = pod.volumes.some(({ claimName, migrated }) => claimName !== undefined || migrated !== undefined);
    this.problem = this.#collect(state, pod);
  }

  get key(): string {
    const { unused, used, problem } = this;
    return this.isAny ? canonicalText([unused, [...used.keys()].sort(), problem?.text]) : '';
  }

  #collect(state: ClusterState, pod: PodObject): NewVolumes['problem'] {
    const unused = new Map<string, CsiSource>();
    for (const volume of pod.volumes) {
      if (volume.claimName === undefined) {
        if (volume.migrated !== undefined) this.used.set(handleKeyOf(volume.migrated), volume.migrated);
        continue;
      }
      if (volume.claimName === '') return { text: NAMELESS_CLAIM, isError: true };
      const claim = claimOf(state.objects, pod, volume);
      if (claim === undefined) {
        const name = `${pod.namespace}/${volume.claimName}`;
        const text = `looking up PVC ${name}: persistentvolumeclaim ${JSON.stringify(volume.claimName)} not found`;
        return { text, isError: false };
      }
      const problem = volume.isEphemeral ? ownershipProblem(pod, claim) : undefined;
      if (problem !== undefined) return { text: problem, isError: true };
      const source = sourceOfClaim(state.objects, claim);
      if (source === undefined) continue;
      const { users, storage } = state.volumes;
      const key = handleKeyOf(source);
      const claimKey = `${claim.namespace}/${claim.name}`;
      const isOnlyHere =
        users.of(claimKey).size === 0 &&
        users.inlineCount(key) === 0 &&
        !state.nominations.useVolume(claimKey) &&
        !state.nominations.useVolume(key) &&
        storage.handleCount(key) <= 1 &&
        (claim.volumeName === '' || storage.claimsNaming(claim.volumeName).size === 1);
      (isOnlyHere ? unused : this.used).set(key, source);
    }
    for (const [key, { driver }] of unused) {
      if (!this.used.has(key)) this.unused.set(driver, (this.unused.get(driver) ?? 0) + 1);
    }
    return undefined;
  }
}

export class Limits implements NodeFilter {
  readonly errors: Set<number> = new Set();
  readonly #state: ClusterState;
  readonly #failures: FailureTable;
  readonly #added: NewVolumes;
  readonly #exceeded: number;
  readonly #problem: number;

  constructor(state: ClusterState, failures: FailureTable, pod: PodObject) {
    this.#state = state;
    this.#failures = failures;
    this.#added = new NewVolumes(state, pod);
    this.#exceeded = this.#failure(EXCEEDED, false);
    const { problem } = this.#added;
    this.#problem = problem === undefined ? 0 : this.#failure(problem.text, problem.isError);
  }

  failureAt(slot: number, load: NodeLoad): number {
    if (!this.#added.isAny || this.#problem !== 0) return this.#problem;
    const { nodes, volumes } = this.#state;
    const limits = volumes.attached.limitsOf(nodes.names[slot]);
    if (limits.size === 0) return 0;
    const isAsIs = load.volumesAdded.size + load.volumesRemoved.size === 0;
    const name = nodes.names[slot];
    const attached = isAsIs
      ? volumes.attached.at(slot, name)
      : volumes.attached.count(this.#state.volumes.users.usesAt(slot, load), name);
    const { handles, counts, problem } = attached;
    if (problem !== undefined) return this.#failure(problem, true);
    for (const [driver, limit] of limits) {
      let added = this.#added.unused.get(driver) ?? 0;
      for (const [key, source] of this.#added.used) if (source.driver === driver && !handles.has(key)) added++;
      if (added > 0 && (counts.get(driver) ?? 0) + added > limit) return this.#exceeded;
    }
    return 0;
  }

  #failure(reason: string, isError: boolean): number {
    const isUnresolvable = reason !== EXCEEDED;
    const failure = this.#failures.idOf({ plugin: 'NodeVolumeLimits', reasons: [reason], isUnresolvable, isError });
    if (isError) this.errors.add(failure);
    return failure;
  }
}
