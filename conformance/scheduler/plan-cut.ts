/** Cuts a plan down: leaves out one thing after another as long as what was seen is still seen. */
import type { ClusterPlan, JsonFields } from '../../src/scheduler/model/plan-fixture.ts';

const attemptsMax = 120;
const durationMaxMs = 60_000;

/** `index`: of the pod in question; those after it go first. `isSeen` plays a plan. */
export async function cutDown(
  plan: ClusterPlan,
  index: number,
  isSeen: (plan: ClusterPlan) => Promise<boolean>,
): Promise<ClusterPlan> {
  let small: ClusterPlan = { ...plan, pending: plan.pending.slice(0, index + 1) };
  let attempts = 0;
  const deadlineMs = Date.now() + durationMaxMs;
  for (let hasCut = true; hasCut; ) {
    hasCut = false;
    for (const smaller of cuts(small)) {
      if (attempts++ >= attemptsMax || Date.now() > deadlineMs) return small;
      if (!(await isSeen(smaller))) continue;
      small = smaller;
      hasCut = true;
      break;
    }
  }
  return small;
}

/** The plan with one thing less, larger things first. */
function* cuts(plan: ClusterPlan): Generator<ClusterPlan> {
  const last = plan.pending.length - 1;
  const noneAfter = plan.changes.map((change) => ({ ...change, after: 0 }));
  if (last > 0) yield { ...plan, pending: plan.pending.slice(last), changes: noneAfter };
  if (plan.bound.length > 1) yield { ...plan, bound: [] };
  for (let at = 0; at < plan.changes.length; at++) yield { ...plan, changes: plan.changes.toSpliced(at, 1) };
  for (let at = 0; at < plan.nominated.length; at++) yield { ...plan, nominated: plan.nominated.toSpliced(at, 1) };
  // Namespaces stay: a plan sets the labels of those that there are.
  const namespaces = plan.objects.filter(({ kind }) => kind === 'Namespace');
  if (plan.objects.length > namespaces.length + 1) yield { ...plan, objects: namespaces };
  for (let at = 0; at < last; at++) yield { ...plan, pending: plan.pending.toSpliced(at, 1) };
  for (let at = 0; at < plan.nodes.length; at++) {
    if (plan.nodes.length > 1) yield { ...plan, nodes: plan.nodes.toSpliced(at, 1) };
  }
  for (let at = 0; at < plan.bound.length; at++) yield { ...plan, bound: plan.bound.toSpliced(at, 1) };
  for (const [at, { kind }] of plan.objects.entries()) {
    if (kind !== 'Namespace') yield { ...plan, objects: plan.objects.toSpliced(at, 1) };
  }
  for (let at = 0; at <= last; at++) {
    for (const pod of withoutSpecFields(plan.pending[at]))
      yield { ...plan, pending: plan.pending.toSpliced(at, 1, pod) };
  }
  for (let at = 0; at < plan.bound.length; at++) {
    for (const pod of withoutSpecFields(plan.bound[at].pod)) {
      yield { ...plan, bound: plan.bound.toSpliced(at, 1, { ...plan.bound[at], pod }) };
    }
  }
}

const NEEDED: ReadonlySet<string> = new Set(['containers', 'nodeName', 'terminationGracePeriodSeconds']);
/** Fields that go together. */
const TOGETHER: readonly (readonly string[])[] = [
  ['priority', 'priorityClassName', 'preemptionPolicy'],
  ['overhead', 'runtimeClassName'],
];

function* withoutSpecFields(pod: JsonFields): Generator<JsonFields> {
  const spec = pod.spec as JsonFields;
  for (const field of Object.keys(spec)) {
    if (NEEDED.has(field)) continue;
    const group = TOGETHER.find((fields) => fields.includes(field)) ?? [field];
    yield { ...pod, spec: Object.fromEntries(Object.entries(spec).filter(([name]) => !group.includes(name))) };
  }
}
