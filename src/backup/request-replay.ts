// Requests out of etcd's log, applied to our engine as etcd would apply them: etcdserverpb.InternalRaftRequest
//
//   22 put   2a delete range   32 txn   3a compaction   42 lease grant   4a lease revoke   52 alarm   5a lease checkpoint
//
// A request that etcd refuses when it applies it changes nothing, here as there. Lease checkpoints only say how much of a
// TTL is left; a restored lease has all of it. Requests about users, members and versions concern nothing that we keep.

import { StatusError } from '../api/errors.ts';
import {
  ALARM_ACTIVATE,
  ALARM_DEACTIVATE,
  AlarmRequest,
  CompactionRequest,
  LeaseGrantRequest,
  LeaseIdRequest,
} from '../api/messages.ts';
import { ByteReader } from '../base/byte-reader.ts';
import { DurabilityMap } from '../etcd/durability.ts';
import { type EffectLog, Engine } from '../etcd/engine.ts';
import type { JournalIdentity } from '../journal/journal.ts';
import type { Lessor } from '../lease/lessor.ts';
import type { Store } from '../store/store.ts';
import type { RaftEntry } from './raft-log.ts';

const PUT = 0x22;
const DELETE_RANGE = 0x2a;
const TXN = 0x32;
const COMPACTION = 0x3a;
const LEASE_GRANT = 0x42;
const LEASE_REVOKE = 0x4a;
const ALARM = 0x52;
const COMPACT_UNITS = 1_000_000;

export interface ReplayTarget {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms: Set<number>;
  readonly identity: JournalIdentity;
  /** Where the effects go. */
  readonly log: Pick<EffectLog, 'batch'>;
}

export class RequestReplay {
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #reader = new ByteReader();
  /** Requests applied, and those that etcd refused as well. */
  applied = 0;
  refused = 0;

  constructor({ store, lessor, alarms, identity, log }: ReplayTarget) {
    this.#store = store;
    this.#engine = new Engine({
      store,
      lessor,
      alarms,
      identity: { ...identity, raftTerm: 2 },
      log: {
        get batch() {
          return log.batch;
        },
        noteRevision: () => {},
        noteEffect: () => {},
      },
      durability: new DurabilityMap(),
      // They were checked when the requests came in.
      limits: { requestBytesMax: Number.MAX_SAFE_INTEGER, txnOpsMax: Number.MAX_SAFE_INTEGER, quotaBytes: 0 },
    });
  }

  /** Throws WireError when the entry is malformed. */
  apply({ type, data }: RaftEntry): void {
    if (type !== 0 || data.length === 0) return;
    const reader = this.#reader;
    reader.reset(data, 0, data.length);
    while (reader.hasMore) {
      const tag = reader.tag();
      const isMessage = (tag & 7) === 2;
      if (!isMessage) reader.skip(tag);
      else {
        reader.lengthDelimited();
        this.#tryRequest(tag, data, reader.valueStart, reader.valueEnd);
      }
    }
  }

  #tryRequest(tag: number, data: Uint8Array, start: number, end: number): void {
    try {
      if (this.#request(tag, data, start, end)) this.applied++;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      this.refused++;
    }
  }

  /** False when it is no request that concerns us. */
  #request(tag: number, data: Uint8Array, start: number, end: number): boolean {
    const engine = this.#engine;
    switch (tag) {
      case PUT:
        engine.put(data, start, end);
        return true;
      case DELETE_RANGE:
        engine.deleteRange(data, start, end);
        return true;
      case TXN:
        engine.txn(data, start, end);
        return true;
      case COMPACTION: {
        const { revision } = CompactionRequest.decode(data, start, end);
        engine.compact(revision);
        this.#store.compact(revision);
        this.#store.compactStep(COMPACT_UNITS);
        return true;
      }
      case LEASE_GRANT: {
        const { ID, TTL } = LeaseGrantRequest.decode(data, start, end);
        engine.grantLease(ID, TTL, 0);
        return true;
      }
      case LEASE_REVOKE:
        engine.revokeLease(LeaseIdRequest.decode(data, start, end).ID);
        return true;
      case ALARM: {
        const { action, alarm } = AlarmRequest.decode(data, start, end);
        if (action === ALARM_ACTIVATE || action === ALARM_DEACTIVATE) engine.setAlarm(alarm, action === ALARM_ACTIVATE);
        return true;
      }
      default:
        return false;
    }
  }
}
