// What the server says of itself in its /metrics, for CPU and memory.

export interface ServerMetrics {
  /** NaN where the server does not tell. */
  readonly cpuSeconds: number;
  readonly coreWaitSeconds: number;
  readonly residentBytes: number;
}

export function parseMetrics(text: string): ServerMetrics {
  return {
    cpuSeconds: metricValue(text, 'process_cpu_seconds_total'),
    coreWaitSeconds: metricValue(text, 'k1m_core_wait_seconds_total'),
    residentBytes: metricValue(text, 'process_resident_memory_bytes'),
  };
}

function metricValue(text: string, name: string): number {
  const match = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text);
  return match === null ? Number.NaN : Number(match[1]);
}
