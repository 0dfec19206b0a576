// Which pods are of one class: those that no node and no selector can tell apart.
//
// The key of a class says all of the pod that bears on a decision. Of labels only those that some selector looks at (so that the numbered
// pods of a StatefulSet share a class); of volumes what they mean (volume-check.ts); of default spread constraints the selectors that were made
// for the pod, which take a look at services and owners and are therefore remembered for each kind of pod until one of these changes in its
// namespace.
//
// Limit: SPREADS_MAX of them are remembered; when there are more, all are made anew.

import { spreadConstraints } from '../model/default-spread.ts';
import type { Labels } from '../model/label-selector.ts';
import type { PodObject, SpreadConstraint } from '../model/pod-object.ts';
import type { SchedulerProfile } from '../model/scheduler-profile.ts';
import type { ClusterState } from './cluster-state.ts';
import { canonicalText, Interner } from './interner.ts';
import { ByParts } from './shared-parts.ts';
import type { TopologyKey } from './topology.ts';
import { volumeKeyOf } from './volume-check.ts';
import { doesBear } from './volume-users.ts';

const SPREADS_MAX = 10_000;

/** The spread constraints that hold for a pod. */
export interface PodSpread {
  readonly hard: readonly SpreadConstraint[];
  readonly soft: readonly SpreadConstraint[];
  /** Says all of them that the pod itself does not. */
  readonly key: string;
  /** When it was last used. */
  round: number;
}

export class ClassKeys {
  readonly #state: ClusterState;
  readonly #parts: Interner<object>;
  /** The labels that some selector looks at, as text. */
  readonly #telling = new WeakMap<Labels, { readonly keysVersion: number; readonly text: string }>();
  /** By namespace, and by kind of pod. */
  readonly #spreads = new Map<string, Map<string, PodSpread>>();
  #spreadCount = 0;
  /** Grows when what is remembered of spreads is dropped. */
  #spreadsVersion = 0;
  /** Of pods without volumes that bear on nodes, in this round of the sweep (which marks what keys are made of). */
  readonly #known = new ByParts<{ readonly profile: SchedulerProfile; readonly key: string }>();

  constructor(state: ClusterState) {
    this.#state = state;
    this.#parts = new Interner(state.rounds);
  }

  get partCount(): number {
    return this.#parts.size;
  }

  get spreadCount(): number {
    return this.#spreadCount;
  }

  keyOf(pod: PodObject, profile: SchedulerProfile): string {
    this.#takeNote();
    if (pod.volumes.some(doesBear)) return this.#makeKey(pod, profile);
    const known = this.#known.of(pod, this.#version);
    if (known?.profile === profile) return known.key;
    const key = this.#makeKey(pod, profile);
    // What it mentions may have made it another version.
    this.#known.remember(pod, this.#version, { profile, key });
    return key;
  }

  /** Another one when a key may be another. None of these ever becomes less. */
  get #version(): number {
    const { rounds, selectors } = this.#state;
    return rounds.current + selectors.keysVersion + this.#spreadsVersion;
  }

  #makeKey(pod: PodObject, profile: SchedulerProfile): string {
    const { selectors } = this.#state;
    for (const { selector } of pod.spreadConstraints) selectors.mention(selector);
    const spreadKey = pod.spreadConstraints.length > 0 ? '' : this.spreadOf(pod, profile).key;
    const { affinityProblem, spreadProblem } = pod;
    const problems = affinityProblem + spreadProblem === '' ? '' : JSON.stringify([affinityProblem, spreadProblem]);
    const id = (part: object): number => this.#parts.idOf(part);
    return (
      `${this.#nodePartsKey(pod, profile)} ${pod.namespace} ${this.#labelsKey(pod)} ${id(pod.affinity)} ` +
      `${id(pod.antiAffinity)} ${id(pod.spreadConstraints)} ${spreadKey} ${problems} ${pod.priority} ${pod.neverPreempts} ${volumeKeyOf(this.#state, pod)}`
    );
  }

  /** Classes of the same key see nodes alike but for the pods on them (shared-view.ts). They have no volumes that bear on nodes. */
  viewKeyOf(pod: PodObject, profile: SchedulerProfile, keys: readonly TopologyKey[]): string {
    return `${this.#nodePartsKey(pod, profile)} ${keys.map(({ name }) => name)}`;
  }

  /** What makes nodes differ for the pod whatever other pods there are. Of a profile its name is told, and whether it scores (node-pin.ts). */
  #nodePartsKey(pod: PodObject, profile: SchedulerProfile): string {
    const id = (part: object): number => this.#parts.idOf(part);
    return (
      `${profile.schedulerName} ${profile.scores.length} ${id(pod.requests)} ${id(pod.hostPorts)} ${id(pod.requiredNodes)} ` +
      `${id(pod.preferredNodes)} ${id(pod.tolerations)} ${id(pod.images)} ${pod.containerCount} ${id(pod.neededFeatures)}`
    );
  }

  spreadOf(pod: PodObject, profile: SchedulerProfile): PodSpread {
    this.#takeNote();
    const { namespace, labels, controller, schedulerName, spreadConstraints: own } = pod;
    if (own.length > 0) return this.#makeSpread(pod, profile);
    const owner = controller === undefined ? '' : `${controller.apiVersion} ${controller.kind} ${controller.name}`;
    const kind = `${this.#parts.idOf(labels)} ${schedulerName} ${owner}`;
    let ofNamespace = this.#spreads.get(namespace);
    let spread = ofNamespace?.get(kind);
    if (spread === undefined) {
      spread = this.#makeSpread(pod, profile);
      if (this.#spreadCount >= SPREADS_MAX) this.#forgetAll();
      if (ofNamespace === undefined || this.#spreadCount === 0) ofNamespace = new Map();
      this.#spreads.set(namespace, ofNamespace.set(kind, spread));
      this.#spreadCount++;
    }
    spread.round = this.#state.rounds.current;
    return spread;
  }

  *sweep(): Generator<void> {
    const { rounds } = this.#state;
    for (const [namespace, spreads] of this.#spreads) {
      for (const [kind, { round }] of spreads) {
        if (!rounds.isOver(round)) continue;
        spreads.delete(kind);
        this.#spreadCount--;
      }
      if (spreads.size === 0) this.#spreads.delete(namespace);
    }
    yield;
    yield* this.#parts.sweep();
  }

  #makeSpread(pod: PodObject, profile: SchedulerProfile): PodSpread {
    const [hard, soft] = [true, false].map((isHard) => spreadConstraints(pod, profile, this.#state.objects, isHard));
    const all = [...hard, ...soft];
    for (const { selector } of all) this.#state.selectors.mention(selector);
    const isOwn = pod.spreadConstraints.length > 0;
    const key = isOwn || all.length === 0 ? '' : canonicalText(all.map(({ selector }) => selector));
    return { hard, soft, key, round: 0 };
  }

  /** Of services and owners that have changed. */
  #takeNote(): void {
    const { changedNamespaces } = this.#state.objects;
    if (changedNamespaces.size === 0) return;
    this.#spreadsVersion++;
    for (const namespace of changedNamespaces) {
      this.#spreadCount -= this.#spreads.get(namespace)?.size ?? 0;
      this.#spreads.delete(namespace);
    }
    changedNamespaces.clear();
  }

  #forgetAll(): void {
    this.#spreads.clear();
    this.#spreadCount = 0;
  }

  #labelsKey({ labels, affinity, antiAffinity }: PodObject): string {
    const { selectors } = this.#state;
    for (const { required, preferred } of [affinity, antiAffinity]) {
      for (const term of required) selectors.mention(term.selector);
      for (const term of preferred) selectors.mention(term.selector);
    }
    const { mentionedKeys, keysVersion } = selectors;
    let telling = this.#telling.get(labels);
    if (telling === undefined || telling.keysVersion !== keysVersion) {
      const text = canonicalText(new Map([...labels].filter(([key]) => mentionedKeys.has(key))));
      telling = { keysVersion, text };
      this.#telling.set(labels, telling);
    }
    return telling.text;
  }
}
