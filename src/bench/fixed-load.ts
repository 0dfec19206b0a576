// The same request again and again: counts of a prefix, health probes.

import type { TypedMethod } from '../api/methods.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { EtcdClient } from '../client/etcd-client.ts';
import type { Load } from './load.ts';

export class FixedLoad implements Load {
  readonly path: string;
  readonly buffer: Uint8Array;
  readonly counts: Record<string, number> = {};
  readonly #setup: (client: EtcdClient) => Promise<void>;

  constructor(path: string, request: Uint8Array, setup: (client: EtcdClient) => Promise<void>) {
    this.path = path;
    this.buffer = request;
    this.#setup = setup;
  }

  setup(client: EtcdClient): Promise<void> {
    return this.#setup(client);
  }

  write(): number {
    return this.buffer.length;
  }

  read(): void {}
  done(): void {}
}

export function encodeRequest<Request extends object, Response extends object>(
  method: TypedMethod<Request, Response>,
  request: Partial<Request>,
): Uint8Array {
  const writer = new ByteWriter();
  method.request.encode(request, writer);
  return writer.copy();
}
