// Taints of nodes and the tolerations of pods (api core/v1/toleration.go and component-helpers scheduling/corev1 of 1.36).
//
// The comparing operators Lt and Gt are behind TaintTolerationComparisonOperators, which is off: they tolerate nothing.

export type TaintEffect = 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';

export interface Taint {
  readonly key: string;
  readonly value: string;
  /** One of TaintEffect; another one concerns nobody. */
  readonly effect: string;
}

export interface Toleration {
  /** '' with Exists tolerates every key. */
  readonly key: string;
  /** '' means Equal. */
  readonly operator: string;
  readonly value: string;
  /** '' tolerates every effect. */
  readonly effect: string;
}

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  if (toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === '' || toleration.operator === 'Equal') return toleration.value === taint.value;
  return toleration.operator === 'Exists';
}

export function isTolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** Whether each taint that keeps pods away (NoSchedule, NoExecute) is tolerated. */
export function toleratesNode(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.every(
    (taint) => (taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute') || isTolerated(tolerations, taint),
  );
}

/** How many PreferNoSchedule taints are not tolerated by the tolerations that name that effect, or none. */
export function intolerableCount(tolerations: readonly Toleration[], taints: readonly Taint[]): number {
  const considered = tolerations.filter(({ effect }) => effect === '' || effect === 'PreferNoSchedule');
  return taints.filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(considered, taint)).length;
}
