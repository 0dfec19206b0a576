// Amounts of resources as scheduling counts them: cpu in milli-CPUs, all else in whole units, each a JavaScript number.
//
// Limit: upstream counts in int64, we in doubles that are exact up to 2^53 − 1. A single amount beyond that is cut to
// ±AMOUNT_MAX for what is asked and to ±ALLOCATABLE_MAX, one less, for what a node has, so that a cut request fits
// nowhere. 2^53 bytes are 9 petabytes and 2^53 milli-CPUs are 9 × 10^12 cores.

import { isQualifiedName } from './label-name.ts';
import { int64Of, MILLI, type Quantity, UNIT } from './quantity.ts';

export interface Resources {
  readonly milliCpu: number;
  readonly memory: number;
  readonly ephemeralStorage: number;
  /** Extended resources, huge pages, prefixed native ones and attachable volumes, by name. */
  readonly scalars: ReadonlyMap<string, number>;
}

/** Quantities by resource name, as objects have them. */
export type QuantityList = ReadonlyMap<string, Quantity>;

export const AMOUNT_MAX: number = Number.MAX_SAFE_INTEGER;
export const ALLOCATABLE_MAX: number = AMOUNT_MAX - 1;

export const NO_RESOURCES: Resources = { milliCpu: 0, memory: 0, ephemeralStorage: 0, scalars: new Map() };

/** Amounts of a list, each at most ±`most`. Names that scheduling does not count are left out. */
export function resourcesOf(list: QuantityList, most: number = AMOUNT_MAX): Resources {
  const scalars = new Map<string, number>();
  for (const [name, quantity] of list) if (isScalarName(name)) scalars.set(name, amountOf(quantity, UNIT, most));
  return {
    milliCpu: amountOf(list.get('cpu'), MILLI, most),
    memory: amountOf(list.get('memory'), UNIT, most),
    ephemeralStorage: amountOf(list.get('ephemeral-storage'), UNIT, most),
    scalars,
  };
}

/** The same without what is below zero (framework.Resource.SetMaxResource on an empty one). */
export function withoutNegatives(resources: Resources): Resources {
  return {
    milliCpu: Math.max(0, resources.milliCpu),
    memory: Math.max(0, resources.memory),
    ephemeralStorage: Math.max(0, resources.ephemeralStorage),
    scalars: new Map([...resources.scalars].map(([name, amount]) => [name, Math.max(0, amount)])),
  };
}

/** The quantity at a scale (UNIT, MILLI) as a number within ±most; 0 for none. */
export function amountOf(quantity: Quantity | undefined, scale: number, most: number = AMOUNT_MAX): number {
  if (quantity === undefined) return 0;
  const value = Number(int64Of(quantity, scale));
  return Math.max(-most, Math.min(most, value));
}

/** By name; 0 for a resource that is not counted. */
export function amountNamed(resources: Resources, name: string): number {
  switch (name) {
    case 'cpu':
      return resources.milliCpu;
    case 'memory':
      return resources.memory;
    case 'ephemeral-storage':
      return resources.ephemeralStorage;
    default:
      return resources.scalars.get(name) ?? 0;
  }
}

const REQUESTS_PREFIX = 'requests.';
const NATIVE_DOMAIN = 'kubernetes.io/';

/** A domain-prefixed name outside of kubernetes.io (v1helper.IsExtendedResourceName). */
export function isExtendedName(name: string): boolean {
  if (!name.includes('/') || name.includes(NATIVE_DOMAIN) || name.startsWith(REQUESTS_PREFIX)) return false;
  return isQualifiedName(REQUESTS_PREFIX + name);
}

/** What is counted by name (schedutil.IsScalarResourceName). */
export function isScalarName(name: string): boolean {
  return (
    isExtendedName(name) ||
    name.startsWith('hugepages-') ||
    name.includes(NATIVE_DOMAIN) ||
    name.startsWith('attachable-volumes-')
  );
}
