// matchLabelKeys and mismatchLabelKeys as an API server takes them when a pod is created: the pod's own values of these labels become requirements of
// the selector (pkg/registry/core/pod/strategy.go of 1.36: terms of pod affinity, and spread constraints). Schedulers go by the selector.

import type { JsonObject } from '../../kube-api/kube-api.ts';
import { isObject } from '../../kube-api/object-head.ts';

const KINDS: readonly string[] = ['podAffinity', 'podAntiAffinity'];
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

/** The spec of a pod with these labels. What makes no sense stays as it is. */
export function withLabelKeys(spec: JsonObject, labels: unknown): JsonObject {
  const { affinity, topologySpreadConstraints: constraints } = spec;
  const own = isObject(labels) ? labels : {};
  return {
    ...spec,
    ...(isObject(affinity) ? { affinity: affinityWith(affinity, own) } : {}),
    ...(Array.isArray(constraints) ? { topologySpreadConstraints: selecting(constraints, own) } : {}),
  };
}

function affinityWith(affinity: JsonObject, labels: JsonObject): JsonObject {
  const result = { ...affinity };
  for (const kind of KINDS) {
    const given = affinity[kind];
    if (!isObject(given)) continue;
    const { [PREFERRED]: preferred, [REQUIRED]: required } = given;
    result[kind] = {
      ...given,
      ...(Array.isArray(required) ? { [REQUIRED]: selecting(required, labels) } : {}),
      ...(Array.isArray(preferred)
        ? {
            [PREFERRED]: preferred.map((one: unknown) =>
              isObject(one) ? { ...one, podAffinityTerm: selectingOne(one.podAffinityTerm, labels) } : one,
            ),
          }
        : {}),
    };
  }
  return result;
}

function selecting(terms: readonly unknown[], labels: JsonObject): unknown[] {
  return terms.map((term) => selectingOne(term, labels));
}

/** One without a selector selects nothing, whatever its keys. */
function selectingOne(term: unknown, labels: JsonObject): unknown {
  if (!isObject(term) || !isObject(term.labelSelector)) return term;
  const { labelSelector, matchLabelKeys, mismatchLabelKeys } = term;
  const added = [...expressions(matchLabelKeys, 'In', labels), ...expressions(mismatchLabelKeys, 'NotIn', labels)];
  if (added.length === 0) return term;
  const { matchExpressions } = labelSelector;
  const given: readonly unknown[] = Array.isArray(matchExpressions) ? matchExpressions : [];
  return { ...term, labelSelector: { ...labelSelector, matchExpressions: [...given, ...added] } };
}

function expressions(keys: unknown, operator: 'In' | 'NotIn', labels: JsonObject): JsonObject[] {
  const all: readonly unknown[] = Array.isArray(keys) ? keys : [];
  return all.flatMap((key) =>
    typeof key === 'string' && Object.hasOwn(labels, key) ? [{ key, operator, values: [labels[key]] }] : [],
  );
}
