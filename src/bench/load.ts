// One kind of request, as the hot loop needs it: written into a buffer that is reused, read where the reply lies, without an
// object or promise for each request.
//
// A Slot is one place in flight: it is given its request by write(), and stays taken until done(). What a load must
// remember between the two is in the slot.

import type { EtcdClient } from '../client/etcd-client.ts';
import { MessageReader } from '../client/message-reader.ts';
import type { Flow } from './flow.ts';
import type { LoadConnection } from './load-connection.ts';

export class Slot {
  readonly flow: Flow;
  readonly connection: LoadConnection;
  /** The key it is about; its meaning is the load's. */
  keyIndex = 0;
  /** When it should have been sent, and when it was. */
  intendedMs = 0;
  sentMs = 0;
  /** Gathers a reply that comes in several frames. */
  #reader: MessageReader | undefined;
  readonly #sink = (buffer: Uint8Array, start: number, end: number): void => {
    this.flow.load.read(this, buffer, start, end);
  };

  constructor(flow: Flow, connection: LoadConnection) {
    this.flow = flow;
    this.connection = connection;
  }

  get isGathering(): boolean {
    return this.#reader !== undefined && !this.#reader.isBetweenMessages;
  }

  gather(buffer: Uint8Array, start: number, end: number): void {
    this.#reader ??= new MessageReader();
    this.#reader.receive(buffer, start, end, this.#sink);
  }

  /** What was gathered of a reply that will not come is forgotten. */
  reset(): void {
    this.#reader = undefined;
  }
}

export interface Load {
  readonly path: string;
  /** The request that write() made is buffer[0, its result). */
  readonly buffer: Uint8Array;
  /** What else it counts, by name: conflicts, keys read. Reset with the histograms. */
  readonly counts: Record<string, number>;
  /** Creates what the load needs; before anything else, and once for a server. */
  setup(client: EtcdClient): Promise<void>;
  /** Chooses and writes the slot's next request; the end of it in `buffer`. */
  write(slot: Slot): number;
  /** A reply's message; the bytes are valid during the call. Throws WireError when malformed. */
  read(slot: Slot, buffer: Uint8Array, start: number, end: number): void;
  /** The request has ended, with a gRPC status code. The slot may be given another. */
  done(slot: Slot, code: number): void;
}
