// Objects created through the API server, in protobuf, one after another from `inFlight` at a time. One that is there already stays as it is and is
// counted. What was not answered, or came too soon (429), is sent again; what is refused ends the creation with the API server's words.

import { RefusedError } from '../base/refused-error.ts';
import { ArrivalSchedule } from '../bench/arrival-schedule.ts';
import { type Clock, pause } from '../io/clock.ts';
import type { WriteOutcome } from '../kube-api/kube-api.ts';
import type { ObjectApi } from '../kube-api/object-api.ts';
import { failureText } from '../kube-api/outcome.ts';
import type { CreationOptions } from './lab-target.ts';
import { NumberedBytes } from './numbered-bytes.ts';
import type { CreationCount, ObjectMaker } from './object-maker.ts';
import { StuckWatch } from './stuck-watch.ts';

const AGAIN_MS = 500;
/** So late it is noticed at most, during a wait for one's turn, that all is over. */
const NOTICE_MS = 200;
const THERE_ALREADY = /already exists/;

export class ApiCreation implements CreationCount {
  created = 0;
  existing = 0;
  readonly sentMs: Float64Array;
  readonly #objects: ObjectApi;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #maker: ObjectMaker;
  readonly #options: CreationOptions;
  /** By shape. */
  readonly #bodies: (NumberedBytes | undefined)[] = [];
  readonly #schedule: ArrivalSchedule | undefined;
  #next: number;
  #refusal: Error | undefined;

  constructor(
    world: { readonly objects: ObjectApi; readonly clock: Clock; readonly signal: AbortSignal },
    maker: ObjectMaker,
    options: CreationOptions,
  ) {
    this.#objects = world.objects;
    this.#clock = world.clock;
    this.#signal = world.signal;
    this.#maker = maker;
    this.#options = options;
    this.#next = options.start;
    this.sentMs = new Float64Array(options.end - options.start);
    this.#schedule = options.ratePerSecond > 0 ? new ArrivalSchedule(options.ratePerSecond) : undefined;
  }

  /** Rejects with RefusedError or StuckError. */
  async run(): Promise<void> {
    const { what, start, end, inFlight } = this.#options;
    const stuck = new StuckWatch('the API server', what, this, this.#clock);
    this.#schedule?.start(this.#clock.nowMs());
    const workers = Math.min(inFlight, end - start);
    await Promise.all(Array.from({ length: workers }, () => this.#work(stuck)));
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  get #isOver(): boolean {
    return this.#signal.aborted || this.#refusal !== undefined;
  }

  async #work(stuck: StuckWatch): Promise<void> {
    const { start, end } = this.#options;
    while (this.#next < end && !this.#isOver) {
      const index = this.#next++;
      const intendedMs = this.#schedule?.take() ?? this.#clock.nowMs();
      await this.#untilTurn(intendedMs);
      if (this.#isOver) return;
      this.sentMs[index - start] = intendedMs;
      await this.#create(index, stuck);
    }
  }

  /** At a low rate the turn of the last worker is minutes away. */
  async #untilTurn(ms: number): Promise<void> {
    for (let waitMs = ms - this.#clock.nowMs(); waitMs > 0 && !this.#isOver; waitMs = ms - this.#clock.nowMs()) {
      await pause(this.#clock, Math.min(waitMs, NOTICE_MS));
    }
  }

  async #create(index: number, stuck: StuckWatch): Promise<void> {
    const shape = this.#maker.shapeOf(index);
    const { resource, namespace } = this.#maker.collectionOf(shape);
    this.#bodies[shape] ??= new NumberedBytes(this.#maker.requestOf(shape));
    const body = this.#bodies[shape];
    while (!this.#isOver) {
      body.set(index);
      const outcome = await this.#objects.createUnread(resource, namespace, Uint8Array.from(body.bytes));
      if (this.#isThere(outcome)) return;
      try {
        stuck.check();
      } catch (error) {
        this.#refusal ??= error instanceof Error ? error : new RefusedError(String(error));
      }
      if (!this.#isOver) await pause(this.#clock, AGAIN_MS);
    }
  }

  #isThere(outcome: WriteOutcome): boolean {
    if (outcome.kind === 'done') {
      this.created++;
      return true;
    }
    if (outcome.kind === 'conflict' && THERE_ALREADY.test(outcome.text)) {
      this.created++;
      this.existing++;
      return true;
    }
    const isFinal = outcome.kind === 'refused' || outcome.kind === 'gone';
    if (isFinal) this.#refusal ??= new RefusedError(failureText(outcome));
    return false;
  }
}
