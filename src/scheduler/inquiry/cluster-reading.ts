// A live cluster, read once: every collection is listed as the scheduler does it, from the API server's caches where they will do, and
// left as soon as it is complete. Nothing is written, and nothing stays open.
//
// Nodes and pods have to be readable. Another kind that is not is taken to be empty, with a remark: a user who may see pods need not
// see storage classes.

import type { KubeApi, ReflectHandler } from '../../kube-api/kube-api.ts';
import type { ResourceName } from '../../kube-api/resource.ts';
import { CLUSTER_RESOURCES, UNFINISHED } from '../driver/cluster-feed.ts';
import { ClusterSnapshot, type SnapshotKind } from './cluster-snapshot.ts';
import { ClusterReadingError } from './errors.ts';

const KINDS: readonly (readonly [ResourceName, SnapshotKind])[] = [
  ['nodes', 'Node'],
  ['pods', 'Pod'],
  ...CLUSTER_RESOURCES,
];

/** Rejects with ClusterReadingError. */
export async function readCluster(api: KubeApi): Promise<ClusterSnapshot> {
  const snapshot = new ClusterSnapshot();
  const results = await Promise.allSettled(KINDS.map(([resource, kind]) => readKind(api, resource, kind, snapshot)));
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    const [resource, kind] = KINDS[index];
    // readKind rejects with nothing else.
    const { message } = result.reason as ClusterReadingError;
    if (kind === 'Node' || kind === 'Pod') throw new ClusterReadingError(message);
    snapshot.remark(`${resource} cannot be read and are taken to be none: ${message}`);
  }
  return snapshot;
}

function readKind(api: KubeApi, resource: ResourceName, kind: SnapshotKind, snapshot: ClusterSnapshot): Promise<void> {
  const options = kind === 'Pod' ? { fieldSelector: UNFINISHED } : {};
  return new Promise((resolve, reject) => {
    const handler: ReflectHandler = {
      onSet: (object) => snapshot.set(kind, object),
      // A list that is begun anew tells of what has gone meanwhile.
      onDeleted: (identity) => snapshot.delete(kind, identity),
      onSynced: () => {
        reflection.close();
        resolve();
      },
      onProblem: (text) => {
        // Without trouble it is an object that was skipped.
        if (reflection.trouble === undefined) {
          snapshot.remark(text);
          return;
        }
        reflection.close();
        reject(new ClusterReadingError(text));
      },
    };
    const reflection = api.reflect(resource, handler, options);
  });
}
