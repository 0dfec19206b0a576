// NodeUnschedulable: cordoned nodes take only pods that tolerate the taint that stands for it.

import { isTolerated } from '../model/toleration.ts';
import { type Cycle, type PreFilter, ready, unresolvable } from './plugin.ts';

const CORDONED = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };

export function nodeUnschedulable({ pod }: Cycle): PreFilter {
  const isAllowed = isTolerated(pod.tolerations, CORDONED);
  return ready(({ node }) =>
    node.isUnschedulable && !isAllowed ? unresolvable('node(s) were unschedulable') : undefined,
  );
}
