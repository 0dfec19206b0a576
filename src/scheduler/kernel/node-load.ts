// More pods on a node than it has, or fewer, as one class sees it: the pods that the node is nominated for, or what a what-if of
// preemption takes away. Nothing that is counted changes by it.
//
//   shape of a pod ─► its effect on the class, looked up once ─► load: Σ of effects, with a sign

import type { HostPort } from '../model/pod-object.ts';
import { portsClash, type RoomCheck } from './node-fit.ts';
import type { Refusal } from './pod-class.ts';
import type { PodShape } from './pod-table.ts';
import type { TopologyRules } from './topology-rules.ts';
import type { VolumeUse } from './volume-users.ts';

const RECENT = 4;

/** What a pod on a node bears on the class. */
export interface PodEffect {
  /** Of each resource that the class asks for (RoomCheck). */
  readonly amounts: Float64Array;
  /** 1: it has a port that the class wants. */
  readonly clashes: number;
  /** By rule of TopologyRules: 1 where it counts. */
  readonly spread: Uint8Array;
  readonly wanted: number;
  readonly unwanted: Uint8Array;
  /** How many of the terms it holds. */
  readonly refusing: Uint8Array;
}

/** Effects of shapes on one class, as long as its rules are the same. */
export class EffectTable {
  readonly #rules: TopologyRules;
  readonly #room: RoomCheck;
  readonly #ports: readonly HostPort[];
  readonly #effects = new WeakMap<PodShape, PodEffect>();
  /** Those that were looked up last, in turn: the pods of a node are of a few shapes. */
  readonly #recentShapes: (PodShape | undefined)[] = new Array(RECENT).fill(undefined);
  readonly #recentEffects: (PodEffect | undefined)[] = new Array(RECENT).fill(undefined);
  #recentNext = 0;

  constructor(rules: TopologyRules, room: RoomCheck, ports: readonly HostPort[]) {
    this.#rules = rules;
    this.#room = room;
    this.#ports = ports;
  }

  of(shape: PodShape): PodEffect {
    for (let i = 0; i < RECENT; i++) {
      const effect = this.#recentEffects[i];
      if (this.#recentShapes[i] === shape && effect !== undefined) return effect;
    }
    const effect = this.#lookUp(shape);
    this.#recentShapes[this.#recentNext] = shape;
    this.#recentEffects[this.#recentNext] = effect;
    this.#recentNext = (this.#recentNext + 1) % RECENT;
    return effect;
  }

  #lookUp(shape: PodShape): PodEffect {
    let effect = this.#effects.get(shape);
    if (effect === undefined) {
      effect = this.#make(shape);
      this.#effects.set(shape, effect);
    }
    return effect;
  }

  #make({ kind, requests, hostPorts, heldTerms }: PodShape): PodEffect {
    const { hard, wanted, unwanted, refusing } = this.#rules;
    const matching = (rules: readonly { readonly matches: (pod: typeof kind) => boolean }[]): Uint8Array =>
      Uint8Array.from(rules, ({ matches }) => (matches(kind) ? 1 : 0));
    return {
      amounts: this.#room.amountsOf(requests),
      clashes: portsClash(hostPorts, this.#ports) ? 1 : 0,
      spread: matching(hard),
      // All wanted pods are of one selector.
      wanted: wanted.length > 0 && wanted[0].matches(kind) ? 1 : 0,
      unwanted: matching(unwanted),
      refusing: Uint8Array.from(refusing, ({ terms }) => heldTerms.filter((held) => terms.includes(held)).length),
    };
  }
}

export class NodeLoad {
  pods = 0;
  clashes = 0;
  wanted = 0;
  readonly amounts: Float64Array;
  readonly spread: Int32Array;
  readonly unwanted: Int32Array;
  readonly refusing: Int32Array;
  /** Of pods that have volumes. */
  readonly volumesAdded: Set<VolumeUse> = new Set();
  readonly volumesRemoved: Set<VolumeUse> = new Set();
  readonly #rules: TopologyRules;
  /** By hard constraint: whether pods of the node count. */
  readonly #counts: boolean[] = [];

  constructor(rules: TopologyRules, askedCount: number) {
    this.#rules = rules;
    this.amounts = new Float64Array(askedCount);
    this.spread = new Int32Array(rules.hard.length);
    this.unwanted = new Int32Array(rules.unwanted.length);
    this.refusing = new Int32Array(rules.refusing.length);
  }

  /** No pod more or less on this node. */
  reset(slot: number): this {
    this.pods = 0;
    this.clashes = 0;
    this.wanted = 0;
    this.amounts.fill(0);
    this.spread.fill(0);
    this.unwanted.fill(0);
    this.refusing.fill(0);
    this.volumesAdded.clear();
    this.volumesRemoved.clear();
    const { hard } = this.#rules;
    for (let i = 0; i < hard.length; i++) this.#counts[i] = hard[i].counter.domainAt(slot) >= 0;
    return this;
  }

  add(effect: PodEffect, volumes: VolumeUse | undefined, sign: 1 | -1): void {
    this.pods += sign;
    this.clashes += sign * effect.clashes;
    this.wanted += sign * effect.wanted;
    for (let i = 0; i < this.amounts.length; i++) this.amounts[i] += sign * effect.amounts[i];
    for (let i = 0; i < this.spread.length; i++) if (this.#counts[i]) this.spread[i] += sign * effect.spread[i];
    for (let i = 0; i < this.unwanted.length; i++) this.unwanted[i] += sign * effect.unwanted[i];
    for (let i = 0; i < this.refusing.length; i++) this.refusing[i] += sign * effect.refusing[i];
    if (volumes === undefined) return;
    const [from, to] = sign > 0 ? [this.volumesRemoved, this.volumesAdded] : [this.volumesAdded, this.volumesRemoved];
    if (!from.delete(volumes)) to.add(volumes);
  }

  /** Says all that TopologyFailures goes by; '' where nothing is more or less. */
  get topologyKey(): string {
    const parts = [...this.spread, this.wanted, ...this.unwanted, ...this.refusing];
    return parts.every((part) => part === 0) ? '' : parts.join();
  }
}

/** Nominated pods on a node. */
export interface Crowd {
  readonly load: NodeLoad;
  /** The first with them by filters that do not look at topology. */
  readonly refusal: Refusal;
}

/** What nominated pods bear on topology rules, and on filters behind these, by small numbers for rows of groups; 0: nothing. */
export class CrowdTable {
  readonly #crowds: (Crowd | undefined)[] = [undefined];
  readonly #ids = new Map<string, number>();

  /** Of a load that it has not met before it keeps the object. */
  idOf(load: NodeLoad, refusal: Refusal): number {
    const key = `${load.topologyKey} ${refusal.failure}`;
    if (key === ' 0') return 0;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#crowds.push({ load, refusal }) - 1;
      this.#ids.set(key, id);
    }
    return id;
  }

  at(id: number): Crowd | undefined {
    return this.#crowds[id];
  }
}
