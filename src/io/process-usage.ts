// What this process uses of the machine, how long it waited for a core, and how long its event loop was held.

import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface ProcessUsage {
  readonly cpuSeconds: number;
  /** How long the main thread was ready to run and had no core; 0 where the operating system does not tell. */
  readonly coreWaitSeconds: number;
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
    coreWaitSeconds: readCoreWaitSeconds(),
    residentBytes: rss,
    heapBytes: heapUsed,
    openFiles: countOpenFiles(),
    openFilesMax: readOpenFilesMax(),
  };
}

/** The second number of Linux's schedstat, in nanoseconds; for a process it is the main thread's. */
function readCoreWaitSeconds(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e9;
  } catch {
    return 0;
  }
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

/** Between samples while the loop is busy: a stall is seen as up to this much shorter than it was. */
const FINE_MS = 5;
/** … and while it mostly rests: waking up 200 times a second for nothing takes half a percent of a core. */
const COARSE_MS = 50;
const LOOK_MS = 1_000;
/** Of the time, from which on the loop is busy. */
const BUSY_SHARE = 0.2;

/** Samples the event loop by a timer; a sample that comes late is a stall. */
export class LoopMonitor {
  readonly #samplers = {
    fine: monitorEventLoopDelay({ resolution: FINE_MS }),
    coarse: monitorEventLoopDelay({ resolution: COARSE_MS }),
  };
  #isFine = false;
  /** Of stalls that a sampler saw before it was put to rest. */
  #longestSeconds = 0;
  #seen = performance.eventLoopUtilization();

  constructor() {
    this.#samplers.coarse.enable();
    setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** The longest stall since the last call, in seconds. */
  takeLongestSeconds(): number {
    this.#note();
    const longest = this.#longestSeconds;
    this.#longestSeconds = 0;
    return longest;
  }

  #note(): void {
    const { fine, coarse } = this.#samplers;
    const seconds = Math.max(fine.max / 1e9 - FINE_MS / 1e3, coarse.max / 1e9 - COARSE_MS / 1e3);
    this.#longestSeconds = Math.max(this.#longestSeconds, seconds);
    fine.reset();
    coarse.reset();
  }

  #look(): void {
    const seen = performance.eventLoopUtilization();
    const isBusy = performance.eventLoopUtilization(seen, this.#seen).utilization >= BUSY_SHARE;
    this.#seen = seen;
    if (isBusy === this.#isFine) return;
    this.#isFine = isBusy;
    const { fine, coarse } = this.#samplers;
    (isBusy ? coarse : fine).disable();
    // Without a reset the one that is put to work would take the time since it last worked for a stall.
    this.#note();
    (isBusy ? fine : coarse).enable();
  }
}
