// The layers: which folder of src may import which, which packages, and who may touch the outside world. ARCHITECTURE.md draws
// the same table; tools/tidy.ts holds the code and that page to it.
//
// Order: a folder imports only folders that stand above it here, so there can be no circle.

export interface Layer {
  readonly folder: string;
  readonly mayImport: readonly string[];
  readonly packages: readonly string[];
}

function layer(folder: string, mayImport: string, packages = ''): Layer {
  const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
  return { folder, mayImport: words(mayImport), packages: words(packages) };
}

/** A folder's name is its path below src: `store`, or `scheduler/model` for a layer within a folder of layers. */
export const LAYERS: readonly Layer[] = [
  layer('base', ''),
  layer('io', 'base', 'undici'),
  layer('api', 'base'),
  layer('store', 'base'),
  layer('journal', 'base io'),
  layer('bolt', 'base journal'),
  layer('lease', 'base'),
  layer('watch', 'base api store'),
  layer('snapshot', 'base io store journal lease'),
  layer('h2', 'base io'),
  layer('http', 'base io h2'),
  layer('grpc', 'base api h2'),
  layer('client', 'base io api h2 grpc'),
  layer('kube', 'base'),
  layer('kube-api', 'base io http kube', '@kubernetes/client-node yaml'),
  layer('kube-store', 'base io api client kube kube-api'),
  layer('scheduler/model', 'base'),
  layer('scheduler/configuration', 'base scheduler/model', 'yaml'),
  layer('scheduler/reference', 'base scheduler/model'),
  layer('scheduler/kernel', 'base scheduler/model'),
  layer('scheduler/shards', 'base scheduler/model scheduler/kernel'),
  layer('scheduler/shard-links', 'base io scheduler/model scheduler/kernel scheduler/shards'),
  layer('scheduler/queue', 'base scheduler/model'),
  layer('scheduler/driver', 'base io kube kube-api scheduler/model scheduler/kernel scheduler/queue'),
  layer(
    'scheduler/inquiry',
    'base kube-api scheduler/model scheduler/reference scheduler/kernel scheduler/driver',
    'yaml',
  ),
  layer('etcd', 'base io api store journal bolt lease watch snapshot h2 grpc', 'prom-client'),
  layer('backup', 'base io api store journal bolt lease client etcd'),
  layer('repair', 'base io store journal lease snapshot etcd'),
  layer('bench', 'base io api h2 grpc client kube', 'hdr-histogram-js cli-progress'),
  layer('lab', 'base io api client kube kube-api kube-store scheduler/model scheduler/inquiry bench', 'cli-progress'),
  layer(
    'cli',
    'base io journal h2 client etcd backup repair bench lab kube-api kube-store scheduler/model scheduler/configuration scheduler/queue scheduler/driver scheduler/inquiry scheduler/shards scheduler/shard-links',
    'commander pino yaml',
  ),
  layer('testing', 'base io api journal scheduler/model'),
];

/** Only tests import it. */
export const TEST_LAYER = 'testing';

/** Folders that may use sockets, files, timers, clocks, processes and chance. */
export const OUTSIDE_LAYERS: readonly string[] = ['io', 'cli'];

/** Files elsewhere that may, and why. */
export const OUTSIDE_EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['src/testing/clock.ts', 'lets promises of the code under test run before simulated time goes on'],
]);

export const LINES_MAX = 450;

/** Files that may be longer, up to LINES_LONG_MAX, and why. */
export const LINES_LONG_MAX = 600;
export const LONG_FILES: ReadonlyMap<string, string> = new Map([
  ['src/api/messages.ts', 'a table: every message of etcd, field for field'],
  ['src/etcd/engine.ts', 'one state machine; its operations share the state'],
  ['src/h2/receiver.ts', 'one state machine; one method a frame type'],
  ['src/store/store.ts', "the store's whole surface over parts that have files of their own"],
]);
