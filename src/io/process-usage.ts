// What this process uses of the machine, and how long its event loop was held.

import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** 0 where the operating system does not tell. */
  readonly openFiles: number;
  readonly openFilesMax: number;
}

/** Time of all threads, user and system. */
export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    openFiles: countOpenFiles(),
    openFilesMax: readOpenFilesMax(),
  };
}

function countOpenFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

function readOpenFilesMax(): number {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match === null ? 0 : Number(match[1]);
  } catch {
    return 0;
  }
}

const RESOLUTION_MS = 5;

/** Samples the event loop every RESOLUTION_MS; a sample that comes late is a stall. */
export class LoopMonitor {
  readonly #histogram: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#histogram.enable();
  }

  /** The longest stall since the last call, in seconds. */
  takeLongestSeconds(): number {
    const { max } = this.#histogram;
    this.#histogram.reset();
    return Math.max(max / 1e9 - RESOLUTION_MS / 1e3, 0);
  }
}
