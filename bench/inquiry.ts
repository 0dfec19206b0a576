// What a question about a large cluster costs once the cluster has been read: one pod explained, all nodes judged; or
// many pods placed, and a node drained.
//   node --max-old-space-size=12000 bench/inquiry.ts [--nodes 100000] [--pods 1000000] [--feature plain|anti|zone] [--new 0]
// --new N asks what would become of N pods of a Deployment, in place of the explanation.
// Nodes of two sizes in 16 zones, a tenth tainted, with 30 images each; pods of 20 templates with a service each.

import { parseArgs } from 'node:util';
import { ClusterSnapshot } from '../src/scheduler/inquiry/cluster-snapshot.ts';
import { reportOn } from '../src/scheduler/inquiry/pod-report.ts';
import { reportText } from '../src/scheduler/inquiry/pod-report-text.ts';
import { askWhatIf } from '../src/scheduler/inquiry/what-if.ts';
import { whatIfText } from '../src/scheduler/inquiry/what-if-text.ts';
import type { PodObject } from '../src/scheduler/model/pod-object.ts';
import { readPod } from '../src/scheduler/model/pod-reader.ts';
import { DEFAULT_PROFILE } from '../src/scheduler/model/scheduler-profile.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100000' },
    pods: { type: 'string', default: '1000000' },
    feature: { type: 'string', default: 'plain' },
    new: { type: 'string', default: '0' },
  },
});
const nodeCount = Number(values.nodes);
const podCount = Number(values.pods);
const TEMPLATES = 20;
const IMAGES = Array.from({ length: 30 }, (_, index) => ({ names: [`registry.test/app-${index}:v1`], sizeBytes: 1e8 }));

function nodeJson(index: number): { metadata: object; spec: object; status: object } {
  const name = `node-${index}`;
  const labels = {
    'kubernetes.io/hostname': name,
    'topology.kubernetes.io/zone': `zone-${index % 16}`,
    'node.kubernetes.io/instance-type': index % 3 === 0 ? 'large' : 'small',
    'kubernetes.io/arch': 'amd64',
    'kubernetes.io/os': 'linux',
  };
  const allocatable = { cpu: index % 3 === 0 ? '64' : '32', memory: '128Gi', pods: '110' };
  const taints = index % 10 === 9 ? [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }] : [];
  return { metadata: { name, uid: name, labels }, spec: { taints }, status: { allocatable, images: IMAGES } };
}

function templateOf(index: number): PodObject {
  const labels = { app: `app-${index}` };
  const labelSelector = { matchLabels: labels };
  const features: Record<string, object> = {
    plain: {},
    anti: {
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname', labelSelector }],
        },
      },
    },
    zone: {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector },
      ],
    },
  };
  const resources = { requests: { cpu: '1', memory: '2Gi' } };
  const containers = [{ name: 'c', image: `registry.test/app-${index}:v1`, resources }];
  const read = readPod({ metadata: { name: 'x', labels }, spec: { containers, ...features[values.feature] } });
  if ('reason' in read) throw new Error(read.reason);
  return read.object;
}

const snapshot = new ClusterSnapshot();
for (let i = 0; i < nodeCount; i++) snapshot.set('Node', nodeJson(i));
for (let i = 0; i < TEMPLATES; i++) {
  snapshot.set('Service', { metadata: { name: `s-${i}` }, spec: { selector: { app: `app-${i}` } } });
}
const templates = Array.from({ length: TEMPLATES }, (_, index) => templateOf(index));
for (let i = 0; i < podCount; i++) {
  const uid = `u${i}`;
  snapshot.pods.set(uid, {
    ...templates[i % TEMPLATES],
    name: `p-${i}`,
    uid,
    nodeName: `node-${(i * 7919) % nodeCount}`,
  });
}
const before = process.memoryUsage().rss;
const newCount = Number(values.new);
const startMs = performance.now();
const text = newCount === 0 ? explained() : asked();
const seconds = (performance.now() - startMs) / 1000;
const peak = process.resourceUsage().maxRSS / 1024;
process.stdout.write(
  `${nodeCount} nodes, ${podCount} pods, ${newCount} new, ${values.feature}: ${seconds.toFixed(1)} s, ` +
    `${text.split('\n').length} lines; ${Math.round(before / 2 ** 20)} MB before, ${Math.round(peak)} MB at most\n`,
);
if (newCount > 0) process.stdout.write(text);

function explained(): string {
  const pod = { ...templates[3], uid: 'new' };
  const report = reportOn({ snapshot, profiles: [DEFAULT_PROFILE], pod, nowMs: Date.now() });
  return reportText(report, { groupsMax: 10, nodes: [] });
}

function asked(): string {
  const pods = Array.from({ length: newCount }, (_, index) => ({
    ...templates[3],
    name: `new-${index}`,
    uid: `n${index}`,
  }));
  const report = askWhatIf({
    snapshot,
    profiles: [DEFAULT_PROFILE],
    added: [{ origin: 'new', pods }],
    cordoned: [],
    drained: ['node-0'],
    ignoresWaiting: false,
    groupLabels: ['node.kubernetes.io/instance-type'],
    nowMs: () => performance.now(),
  });
  return whatIfText(report, { all: false, bindingsPerSecond: 500 });
}
