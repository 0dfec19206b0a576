// Amounts of resources as people write them: cpu in cores or milli-CPUs, bytes with binary suffixes, all else as numbers.

const SUFFIXES: readonly (readonly [string, number])[] = [
  ['Pi', 2 ** 50],
  ['Ti', 2 ** 40],
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
];

/** `amount` as model/resources.ts counts it: milli-CPUs for cpu, units for all else. */
export function amountText(resource: string, amount: number): string {
  if (resource === 'cpu') return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
  const isBytes = resource === 'memory' || resource === 'ephemeral-storage' || resource.startsWith('hugepages-');
  if (!isBytes) return String(amount);
  const [suffix, size] = SUFFIXES.find(([, bytes]) => Math.abs(amount) >= bytes) ?? ['', 1];
  return `${Number((amount / size).toFixed(2))}${suffix}`;
}
