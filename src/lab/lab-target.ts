// Where the lab's objects are: in a store (store-target.ts), or behind an API server (api-target.ts). The interface.

import type { BoundSample } from './bound-sample.ts';
import type { CreationCount, ObjectMaker } from './object-maker.ts';
import type { ObjectWriter } from './object-writer.ts';
import type { PodFeed } from './pod-feed.ts';

/** What the lab makes begins so, so that it can be told from a cluster's own and removed together. */
export const NODE_PREFIX = 'lab-node-';
export const POD_PREFIX = 'lab-pod-';

export interface CreationOptions {
  /** Like "pods". */
  readonly what: string;
  /** Numbers from `start` up to, not including, `end`. */
  readonly start: number;
  readonly end: number;
  /** 0: as fast as they are taken. */
  readonly ratePerSecond: number;
  readonly inFlight: number;
}

export interface Creation {
  readonly count: CreationCount;
  /** Resolves when all are there, or the signal of the lab has come. Rejects with StuckError or RefusedError. */
  readonly done: Promise<void>;
}

export interface LeaseOptions {
  /** Of nodes 0 to that, each of which has one. */
  readonly count: number;
  readonly bytes: number;
}

/** From one renewal of a lease to the next: a kubelet's, a quarter of the lease's 40 s. */
export const RENEW_SECONDS = 10;

/** The leases of the lab's nodes. */
export interface LeaseRenewal {
  /** Those that are there already are taken over. */
  create(): Promise<void>;
  /** Each once in RENEW_SECONDS, times the fraction. */
  start(fraction: number, inFlight: number): void;
  stop(): void;
  readonly renewed: number;
  readonly failed: number;
  /** Due and not sent. */
  readonly late: number;
  readonly p99Micros: number;
}

export interface Removal {
  /** Hears how many more are gone. */
  readonly onRemoved: (count: number) => void;
  /** Ends it. */
  readonly signal: AbortSignal | undefined;
}

export interface LabTarget {
  readonly writer: ObjectWriter;
  readonly feed: PodFeed;
  /** Pods that may wait for a kubelet at a time. */
  readonly waitingMax: number;
  /** Rejects with RefusedError when it cannot be reached. */
  open(): Promise<void>;
  close(): Promise<void>;
  create(maker: ObjectMaker, options: CreationOptions): Creation;
  leases(options: LeaseOptions): LeaseRenewal;
  /** Tells the sample of pods in these namespaces that come to be on nodes, from when it resolves, until closed. */
  tellBound(sample: BoundSample, namespaces: readonly string[]): Promise<void>;
  /** Nodes of the lab and their leases. */
  removeNodes(removal: Removal): Promise<void>;
  /** Pods of the lab in these namespaces; undefined: in all. */
  removePods(namespaces: readonly string[] | undefined, removal: Removal): Promise<void>;
}

/** The number in the name of one of the lab's objects; −1 for any other. */
export function numberIn(name: string, prefix: string): number {
  const digits = name.slice(prefix.length);
  return name.startsWith(prefix) && /^\d{7}$/.test(digits) ? Number(digits) : -1;
}
