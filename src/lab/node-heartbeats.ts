// The status that kubelets write of their nodes when nothing has changed: once in five minutes (nodeStatusReportFrequency), the nodes in turn.
//
// It puts right what a controller has made of a node whose lease was late. At most inFlightMax are on their way; a node whose turn comes while so many
// are waits, and the others with it; one that its next turn has overtaken is left out. One that fails is told and has its next turn five minutes later.

import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import type { Clock, Timer } from '../io/clock.ts';
import { Trouble } from '../kube-api/trouble.ts';
import { healthyConditions } from './lab-node.ts';
import type { ObjectWriter } from './object-writer.ts';
import { timeText } from './pod-status.ts';

const REPORT_SECONDS = 300;
const TICK_MS = 50;

export interface NodeHeartbeatsOptions {
  readonly clock: Clock;
  readonly writer: ObjectWriter;
  readonly nameOf: (index: number) => string;
  readonly count: number;
  /** Of the rate at which kubelets report. */
  readonly fraction: number;
  readonly inFlightMax: number;
  /** For a log. */
  readonly onProblem: (text: string) => void;
}

export class NodeHeartbeats {
  readonly counts = { written: 0, failed: 0 };
  readonly #options: NodeHeartbeatsOptions;
  readonly #trouble: Trouble;
  #timer: Timer | undefined;
  readonly #schedule: ArrivalSchedule;
  #next = 0;
  #inFlight = 0;

  constructor(options: NodeHeartbeatsOptions) {
    this.#options = options;
    const { count, fraction } = options;
    this.#schedule = new ArrivalSchedule((count * fraction) / REPORT_SECONDS, count);
    this.#trouble = new Trouble(options.clock, 'nodes: written again', options.onProblem);
  }

  start(): void {
    this.#schedule.start(this.#options.clock.nowMs());
    this.#tick();
  }

  close(): void {
    this.#timer?.cancel();
  }

  #tick(): void {
    const { clock, count, inFlightMax } = this.#options;
    for (let due = this.#schedule.due(clock.nowMs()); due > 0 && this.#inFlight < inFlightMax; due--) {
      this.#schedule.take();
      void this.#report(this.#next);
      this.#next = (this.#next + 1) % count;
    }
    this.#timer = clock.setTimer(TICK_MS, () => this.#tick());
  }

  async #report(index: number): Promise<void> {
    const { clock, writer, nameOf } = this.#options;
    const name = nameOf(index);
    const time = timeText(clock.wallMs());
    this.#inFlight++;
    const result = await writer.patchStatus('nodes', { namespace: '', name }, (node) => ({
      conditions: healthyConditions(node, time),
    }));
    this.#inFlight--;
    if (result.kind === 'failed') {
      this.counts.failed++;
      this.#trouble.fail(`report node ${name}: ${result.text}`);
    } else if (result.kind === 'done') {
      this.counts.written++;
      this.#trouble.end();
    }
  }
}
