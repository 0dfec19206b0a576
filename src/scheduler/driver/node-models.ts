// Reads nodes. One that is like another (kube-api.ts, Lookalike) is that one's model with another name, uid and hostname.

import type { JsonObject, Lookalike } from '../../kube-api/kube-api.ts';
import { HOSTNAME } from '../kernel/topology.ts';
import { type NodeObject, readNode } from '../model/node-object.ts';

export class NodeModels {
  /** Null: nodes like this one are to be read. */
  readonly #byLike = new WeakMap<JsonObject, NodeObject | null>();

  /** Undefined for a node that has to be read. */
  alike({ like, name, uid, hostname }: Lookalike): NodeObject | undefined {
    let model = this.#byLike.get(like);
    if (model === undefined) {
      const read = readNode(like);
      model = 'object' in read ? { ...read.object, shape: like } : null;
      this.#byLike.set(like, model);
    }
    if (model === null) return undefined;
    const labels = hostname === undefined ? model.labels : new Map(model.labels).set(HOSTNAME, hostname);
    return { ...model, name, uid, labels };
  }
}
