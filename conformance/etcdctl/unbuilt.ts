/**
 * What k1m does not do yet. The cases of these groups must be refused by it as unimplemented, instead of answering as etcd
 * does; a group that answers as etcd does must be taken out of here.
 */
export const unbuiltGroups: ReadonlySet<string> = new Set(['auth', 'cluster changes']);
