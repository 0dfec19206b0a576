// Where kube-apiserver keeps objects: /registry/RESOURCE[/NAMESPACE]/NAME, with the resource under another name for some (pkg/registry/*/storage).

import { RESOURCES, type ResourceName } from '../kube-api/resource.ts';

export const REGISTRY_PREFIX_DEFAULT = '/registry';

const FOLDERS: Partial<Readonly<Record<ResourceName, string>>> = {
  nodes: 'minions',
  services: 'services/specs',
  replicationcontrollers: 'controllers',
};

/** kube-apiserver's --etcd-prefix as keys begin with it: a slash before it, none behind. */
export function registryPrefix(text: string): string {
  return `/${text}`.replaceAll(/\/+/g, '/').replace(/\/$/, '');
}

export class RegistryKeys {
  readonly #prefix: string;

  /** `prefix`: kube-apiserver's --etcd-prefix. */
  constructor(prefix: string = REGISTRY_PREFIX_DEFAULT) {
    this.#prefix = registryPrefix(prefix);
  }

  /** Of all objects of the resource; ends with a slash. */
  folder(resource: ResourceName): string {
    return `${this.#prefix}/${FOLDERS[resource] ?? resource}/`;
  }

  key(resource: ResourceName, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
    return `${this.folder(resource)}${RESOURCES[resource].isNamespaced ? `${namespace}/` : ''}${name}`;
  }
}
