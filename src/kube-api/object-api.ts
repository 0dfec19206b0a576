// Whole objects and their status written through the API server, for those who stand for other clients than a scheduler: kubelets, users. Outcomes are
// those of kube-api.ts; 429 is waited for as client-go does.
//
// A body is an object, sent as JSON, or the bytes of its protobuf in the envelope of the store, which costs the API server less.

import type { ApiCaller, ShortCall } from './api-caller.ts';
import type { JsonObject, WriteOutcome } from './kube-api.ts';
import { failureOf, isSuccess, messageOf, parseObject } from './outcome.ts';
import { PROTOBUF } from './protobuf-stream.ts';
import { namespacePath, objectPath, qualifiedName, type ResourceName } from './resource.ts';

const TIMEOUT_MS = 30_000;
const REPEATS_MAX = 10;
const FORBIDDEN = 403;
export const STRATEGIC_MERGE = 'application/strategic-merge-patch+json';

export type ObjectBody = JsonObject | Uint8Array;

/** An object by its name; '' for the namespace of objects without one. */
export interface ObjectPlace {
  readonly namespace: string;
  readonly name: string;
}

export interface Removal {
  readonly uid?: string;
  readonly graceSeconds?: number;
}

interface Call {
  readonly verb: string;
  readonly resource: ResourceName;
  readonly subresource?: string;
  readonly method: ShortCall['method'];
  readonly path: string;
  readonly body?: ObjectBody;
  readonly contentType?: string;
  readonly isSuccessUnread?: boolean;
}

export class ObjectApi {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  /** `conflict` when it is there already. */
  create(resource: ResourceName, namespace: string, body: ObjectBody): Promise<WriteOutcome> {
    return this.#write({ verb: 'create', resource, method: 'POST', path: namespacePath(resource, namespace), body });
  }

  /** The same for whoever does not want to see what came of it: the object in the outcome is empty. */
  createUnread(resource: ResourceName, namespace: string, body: ObjectBody): Promise<WriteOutcome> {
    const path = namespacePath(resource, namespace);
    return this.#write({ verb: 'create', resource, method: 'POST', path, body, isSuccessUnread: true });
  }

  /** The resourceVersion in the body is a precondition. */
  replace(resource: ResourceName, object: ObjectPlace, body: ObjectBody): Promise<WriteOutcome> {
    return this.#write({ verb: 'update', resource, method: 'PUT', path: objectPath(resource, object), body });
  }

  /** A strategic merge patch of the status subresource; metadata.uid in it is a precondition. The object in the outcome is empty. */
  patchStatus(resource: ResourceName, object: ObjectPlace, patch: JsonObject): Promise<WriteOutcome> {
    return this.#write({
      verb: 'patch',
      resource,
      subresource: 'status',
      method: 'PATCH',
      path: objectPath(resource, object, 'status'),
      body: patch,
      contentType: STRATEGIC_MERGE,
      isSuccessUnread: true,
    });
  }

  /** The object in the outcome is empty. */
  remove(resource: ResourceName, object: ObjectPlace, { uid, graceSeconds }: Removal = {}): Promise<WriteOutcome> {
    return this.#write({
      verb: 'delete',
      resource,
      method: 'DELETE',
      path: objectPath(resource, object),
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      },
      isSuccessUnread: true,
    });
  }

  async #write(call: Call): Promise<WriteOutcome> {
    const { verb, resource, subresource, method, path, body, contentType, isSuccessUnread = false } = call;
    const isBinary = body instanceof Uint8Array;
    const answer = await this.#caller.call({
      method,
      path,
      timeoutMs: TIMEOUT_MS,
      repeatsMax: REPEATS_MAX,
      isSuccessUnread,
      ...(body === undefined ? {} : { body: isBinary ? body : JSON.stringify(body) }),
      ...(isBinary ? { contentType: PROTOBUF } : {}),
      ...(contentType === undefined ? {} : { contentType }),
    });
    const name = subresource === undefined ? qualifiedName(resource) : `${resource}/${subresource}`;
    // Rights are not all that may be missing: quotas and admission answer so, too, in words of their own.
    if (answer.kind === 'answer' && answer.status === FORBIDDEN) {
      return { kind: 'refused', status: FORBIDDEN, text: messageOf(answer.body) };
    }
    if (answer.kind !== 'answer' || !isSuccess(answer.status)) return failureOf(answer, { verb, resource: name });
    if (isSuccessUnread) return { kind: 'done', object: {} };
    const object = parseObject(answer.body);
    if (object !== undefined) return { kind: 'done', object };
    return { kind: 'unknown', text: `${verb} ${name}: the answer is not JSON` };
  }
}
