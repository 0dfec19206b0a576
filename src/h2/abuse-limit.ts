// Counts what a peer may do often but not too often, over windows of abuseWindowMs. Above a limit: ConnectionError
// ENHANCE_YOUR_CALM.

import type { ConnectionOptions, ConnectionStats } from './connection-options.ts';
import { ConnectionError, ENHANCE_YOUR_CALM } from './error-code.ts';
import type { FrameWriter } from './frame-writer.ts';

export class AbuseLimit {
  readonly #options: ConnectionOptions;
  readonly #stats: ConnectionStats;
  readonly #writer: FrameWriter;
  #windowStartMs = 0;
  #peerResets = 0;
  #provokedResets = 0;
  #controlFrames = 0;
  #emptyDataFrames = 0;
  #windowUpdates = 0;
  #ignoredFrames = 0;
  /** The writer's count of DATA frames when the window began. */
  #dataFramesBefore = 0;

  constructor(options: ConnectionOptions, stats: ConnectionStats, writer: FrameWriter) {
    this.#options = options;
    this.#stats = stats;
    this.#writer = writer;
  }

  tick(nowMs: number): void {
    if (nowMs - this.#windowStartMs < this.#options.abuseWindowMs) return;
    this.#windowStartMs = nowMs;
    this.#peerResets = 0;
    this.#provokedResets = 0;
    this.#controlFrames = 0;
    this.#emptyDataFrames = 0;
    this.#windowUpdates = 0;
    this.#ignoredFrames = 0;
    this.#dataFramesBefore = this.#writer.dataFrameCount;
  }

  peerReset(): void {
    this.#stats.resetsReceived++;
    if (++this.#peerResets > this.#options.peerResetsMax) exceeded('too many streams were reset');
  }

  provokedReset(): void {
    this.#stats.provokedResets++;
    if (++this.#provokedResets > this.#options.provokedResetsMax) exceeded('too many stream errors');
  }

  controlFrame(): void {
    this.#stats.controlFramesReceived++;
    // grpc-go measures bandwidth by a ping after data has come, thousands a second on a fast link.
    const allowed = this.#options.controlFramesMax + this.#writer.dataFrameCount - this.#dataFramesBefore;
    if (++this.#controlFrames > allowed) exceeded('too many SETTINGS and PING frames');
  }

  emptyDataFrame(): void {
    this.#stats.emptyDataFramesReceived++;
    if (++this.#emptyDataFrames > this.#options.emptyDataFramesMax) exceeded('too many empty DATA frames');
  }

  windowUpdate(): void {
    this.#stats.windowUpdatesReceived++;
    const allowed = this.#options.windowUpdatesMax + this.#writer.dataFrameCount - this.#dataFramesBefore;
    if (++this.#windowUpdates > allowed) exceeded('too many WINDOW_UPDATE frames');
  }

  ignoredFrame(): void {
    this.#stats.ignoredFramesReceived++;
    if (++this.#ignoredFrames > this.#options.ignoredFramesMax) exceeded('too many frames without effect');
  }
}

function exceeded(message: string): never {
  throw new ConnectionError(ENHANCE_YOUR_CALM, message);
}
