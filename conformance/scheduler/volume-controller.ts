/**
 * What a volume controller and a provisioner do for claims that wait for their first consumer: kube-scheduler sets a volume
 * aside for a claim, or names the node to make one for, and waits until the two are bound.
 */
import type { ClusterCommand } from '../../src/scheduler/model/command.ts';
import { NAMESPACES, objectSet } from '../../src/scheduler/model/plan-fixture.ts';
import type { JsonObject, KubeClient } from '../kubernetes/kube-client.ts';

interface VolumeView {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly claimRef?: { readonly namespace: string; readonly name: string } };
}

interface ClaimView {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly volumeName?: string;
    readonly storageClassName?: string;
    readonly accessModes: readonly string[];
    readonly resources: JsonObject & { readonly requests: JsonObject };
  };
}

const volumesPath = '/api/v1/persistentvolumes';

export class VolumeController {
  readonly #client: KubeClient;
  /** Volumes made here. */
  readonly made: string[] = [];

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Binds what can be bound. What has changed since the plan, as commands. */
  async step(): Promise<ClusterCommand[]> {
    const volumes = (await this.#client.send<{ items: VolumeView[] }>('GET', volumesPath)).items;
    const commands: ClusterCommand[] = [];
    for (const namespace of NAMESPACES) {
      const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
      for (const claim of (await this.#client.send<{ items: ClaimView[] }>('GET', path)).items) {
        if (claim.spec.volumeName !== undefined) continue;
        const volumeName = await this.#volumeFor(claim, volumes);
        if (volumeName !== undefined) commands.push(...(await this.#bind(claim, volumeName, path)));
      }
    }
    return commands;
  }

  async #volumeFor(claim: ClaimView, volumes: readonly VolumeView[]): Promise<string | undefined> {
    const { namespace, name, annotations } = claim.metadata;
    const setAside = volumes.find(({ spec }) => spec.claimRef?.name === name && spec.claimRef.namespace === namespace);
    if (setAside !== undefined) return setAside.metadata.name;
    const isToBeMade = annotations?.['volume.kubernetes.io/selected-node'] !== undefined;
    return isToBeMade && claim.spec.storageClassName === 'provisioned' ? this.#provision(claim) : undefined;
  }

  async #provision(claim: ClaimView): Promise<string> {
    const { namespace, name, uid } = claim.metadata;
    const volumeName = `made-${namespace}-${name}`;
    await this.#client.create(volumesPath, {
      metadata: { name: volumeName },
      spec: {
        accessModes: claim.spec.accessModes,
        capacity: claim.spec.resources.requests,
        storageClassName: 'provisioned',
        claimRef: { kind: 'PersistentVolumeClaim', namespace, name, uid },
        csi: { driver: 'csi.example.com', volumeHandle: volumeName },
      },
    });
    this.made.push(`${volumesPath}/${volumeName}`);
    return volumeName;
  }

  async #bind(claim: ClaimView, volumeName: string, path: string): Promise<ClusterCommand[]> {
    const annotations = {
      'pv.kubernetes.io/bind-completed': 'yes',
      'pv.kubernetes.io/bound-by-controller': 'yes',
    };
    const claimPath = `${path}/${claim.metadata.name}`;
    await this.#client.patch(`${volumesPath}/${volumeName}/status`, { status: { phase: 'Bound' } });
    await this.#client.patch(claimPath, { metadata: { annotations }, spec: { volumeName } });
    await this.#client.patch(`${claimPath}/status`, { status: { phase: 'Bound' } });
    return [
      objectSet('PersistentVolume', await this.#client.get(`${volumesPath}/${volumeName}`)),
      objectSet('PersistentVolumeClaim', await this.#client.get(claimPath)),
    ];
  }
}
