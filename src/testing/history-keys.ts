// The key-by-key checker: is there, for each key alone, an order of the calls that touched it that explains every answer and
// respects real time? It does not look at revisions, so that it finds wrong revisions too. A search (Wing and Gong,
// with Lowe's memory of what was tried): exponential at worst, near linear with few calls at a time.
//
// Each call becomes, for each key it names, an operation on (value, version) of that key. What cannot be decided from one key
// (a condition on another, when the outcome is unknown) is left open: both ways are tried. Reads of the past, and keys
// that were ever put with a lease (they may vanish by themselves), are left out.
//
// Memory is of hashes (64 bits) of what was done, with the state: two different sets with one hash could hide an order, with a
// probability that does not matter.

import {
  type Call,
  type Condition,
  type History,
  isWithin,
  type Result,
  type SimpleRequest,
  type Violation,
} from './history.ts';
import { Random } from './random.ts';
import { holds } from './revision-log.ts';

export interface KeyCheck {
  readonly violations: readonly Violation[];
  readonly keys: number;
  readonly operations: number;
  /** Keys whose search was given up at `stepsMax`. */
  readonly undecided: readonly string[];
}

export const STEPS_MAX = 2_000_000;

interface KeyState {
  /** Undefined: the key is not there. */
  readonly value: string | undefined;
  readonly version: number;
}

interface Operation {
  readonly invoked: number;
  /** Infinite: unknown whether and when it happens. */
  readonly returned: number;
  /** States that it may leave, given the one before; none when its answer does not fit. */
  readonly next: (state: KeyState) => KeyState[];
  readonly hashHigh: number;
  readonly hashLow: number;
}

const ABSENT: KeyState = { value: undefined, version: 0 };

export function checkKeys(history: History, stepsMax: number = STEPS_MAX): KeyCheck {
  const random = new Random(1);
  const byKey = new Map<string, Operation[]>();
  const leased = leasedKeys(history);
  const names = namesOf(history);
  for (const call of history.calls) {
    if (call.outcome.kind === 'refused') continue;
    for (const key of touchedKeys(call, names)) {
      if (leased.has(key)) continue;
      const operation = operationOn(key, call, random);
      if (operation === undefined) continue;
      const operations = byKey.get(key);
      if (operations === undefined) byKey.set(key, [operation]);
      else operations.push(operation);
    }
  }
  const violations: Violation[] = [];
  const undecided: string[] = [];
  let count = 0;
  for (const [key, operations] of byKey) {
    count += operations.length;
    const verdict = new Search(operations, stepsMax).run();
    if (verdict === 'undecided') undecided.push(key);
    if (verdict === 'refused')
      violations.push({ promise: 'linearizable', text: `no order explains the calls on ${key}` });
  }
  return { violations, keys: byKey.size, operations: count, undecided };
}

function leasedKeys(history: History): Set<string> {
  const keys = new Set<string>();
  for (const { request } of history.calls) {
    const requests = request.kind === 'txn' ? [...request.success, ...request.failure] : [request];
    for (const one of requests) if (one.kind === 'put' && one.lease !== 0n) keys.add(one.key);
  }
  return keys;
}

/** Every key that a call names. */
function namesOf(history: History): string[] {
  const keys = new Set<string>();
  for (const { request } of history.calls) {
    const requests = request.kind === 'txn' ? [...request.success, ...request.failure] : [request];
    for (const one of requests) if ('key' in one) keys.add(one.key);
  }
  return [...keys];
}

function touchedKeys({ request }: Call, names: readonly string[]): Set<string> {
  const keys = new Set<string>();
  const conditions = request.kind === 'txn' ? request.conditions : [];
  for (const { key } of conditions) keys.add(key);
  const requests = request.kind === 'txn' ? [...request.success, ...request.failure] : [request];
  for (const one of requests) {
    if (!('key' in one)) continue;
    if (one.kind === 'put' || one.end === '') keys.add(one.key);
    else for (const name of names) if (isWithin(name, one)) keys.add(name);
  }
  return keys;
}

function operationOn(key: string, call: Call, random: Random): Operation | undefined {
  const { request, invoked, outcome } = call;
  const result = outcome.kind === 'answered' ? outcome.result : undefined;
  const returned = outcome.kind === 'answered' ? outcome.at.order : Number.POSITIVE_INFINITY;
  const common = { invoked: invoked.order, returned, hashHigh: random.uint32(), hashLow: random.uint32() };
  if (request.kind === 'txn') {
    if (result !== undefined && result.kind !== 'txn') return undefined;
    const branch = (isSuccess: boolean, state: KeyState): KeyState[] => {
      if (!mayBranch(request.conditions, key, isSuccess, state)) return [];
      const results = result?.isSuccess === isSuccess ? result.results : undefined;
      const after = applied(key, isSuccess ? request.success : request.failure, results, state);
      return after === undefined ? [] : [after];
    };
    const next = (state: KeyState): KeyState[] => {
      if (result !== undefined) return branch(result.isSuccess, state);
      return [...branch(true, state), ...branch(false, state)];
    };
    return { ...common, next };
  }
  if (request.kind !== 'put' && request.kind !== 'range' && request.kind !== 'delete') return undefined;
  if (request.kind === 'range' && (request.revision > 0 || result === undefined)) return undefined;
  const results = result === undefined ? undefined : [result];
  const next = (state: KeyState): KeyState[] => {
    const after = applied(key, [request], results, state);
    return after === undefined ? [] : [after];
  };
  return { ...common, next };
}

/** Whether the conditions may have come out like this, as far as this key can tell. */
function mayBranch(conditions: readonly Condition[], key: string, isSuccess: boolean, state: KeyState): boolean {
  const decided = conditions.filter((one) => one.key === key && (one.target === 'value' || one.target === 'version'));
  const pair = state.value === undefined ? undefined : { ...NO_PAIR, key, value: state.value, version: state.version };
  const doAllHold = decided.every((condition) => holds(condition, pair));
  if (isSuccess) return doAllHold;
  return !doAllHold || decided.length < conditions.length;
}

const NO_PAIR = { create: 0, mod: 0, lease: 0n };

/** The key after the requests; undefined when an answer does not fit. */
function applied(
  key: string,
  requests: readonly SimpleRequest[],
  results: readonly Result[] | undefined,
  before: KeyState,
): KeyState | undefined {
  let state = before;
  for (const [index, request] of requests.entries()) {
    const isHere = request.kind === 'put' ? request.key === key : isWithin(key, request);
    if (!isHere) continue;
    const result = results?.[index];
    if (request.kind === 'put') state = { value: request.value, version: state.version + 1 };
    else if (request.kind === 'delete') {
      const count = state.value === undefined ? 0 : 1;
      if (result?.kind === 'delete' && request.end === '' && result.deleted !== count) return undefined;
      state = ABSENT;
    } else if (result?.kind === 'range' && request.revision === 0) {
      const pair = result.pairs.find((one) => one.key === key);
      if (pair?.value !== state.value || (pair?.version ?? 0) !== state.version) return undefined;
    }
  }
  return state;
}

interface Frame {
  readonly candidates: readonly (readonly [index: number, state: KeyState])[];
  place: number;
  readonly state: KeyState;
  readonly firstOpen: number;
}

class Search {
  /** Answered ones, then unknown ones, each in the order of their sending. */
  readonly #operations: readonly Operation[];
  readonly #answered: number;
  readonly #isDone: Uint8Array;
  readonly #stepsMax: number;
  readonly #tried = new Set<string>();
  #hashHigh = 0;
  #hashLow = 0;

  constructor(operations: readonly Operation[], stepsMax: number) {
    const byTime = (a: Operation, b: Operation): number => a.invoked - b.invoked;
    const answered = operations.filter(({ returned }) => returned !== Number.POSITIVE_INFINITY).sort(byTime);
    const unknown = operations.filter(({ returned }) => returned === Number.POSITIVE_INFINITY).sort(byTime);
    this.#operations = [...answered, ...unknown];
    this.#answered = answered.length;
    this.#isDone = new Uint8Array(operations.length);
    this.#stepsMax = stepsMax;
  }

  run(): 'accepted' | 'refused' | 'undecided' {
    const stack: Frame[] = [this.#frame(ABSENT, 0)];
    for (let steps = 0; steps < this.#stepsMax; steps++) {
      const frame = stack.at(-1);
      if (frame === undefined) return 'refused';
      if (frame.firstOpen === this.#answered) return 'accepted';
      const candidate = frame.candidates[frame.place++];
      if (candidate === undefined) {
        stack.pop();
        const above = stack.at(-1);
        if (above !== undefined) this.#flip(above.candidates[above.place - 1][0]);
        continue;
      }
      const [index, state] = candidate;
      this.#flip(index);
      const name = `${this.#hashHigh},${this.#hashLow},${state.version},${state.value}`;
      if (this.#tried.has(name)) this.#flip(index);
      else {
        this.#tried.add(name);
        stack.push(this.#frame(state, frame.firstOpen));
      }
    }
    return 'undecided';
  }

  #flip(index: number): void {
    this.#isDone[index] ^= 1;
    this.#hashHigh ^= this.#operations[index].hashHigh;
    this.#hashLow ^= this.#operations[index].hashLow;
  }

  /** What may come next: what was sent before the first answer of those that are open. */
  #frame(state: KeyState, from: number): Frame {
    let firstOpen = from;
    while (firstOpen < this.#answered && this.#isDone[firstOpen] === 1) firstOpen++;
    let until = Number.POSITIVE_INFINITY;
    let end = firstOpen;
    for (; end < this.#answered && this.#operations[end].invoked < until; end++) {
      if (this.#isDone[end] === 0) until = Math.min(until, this.#operations[end].returned);
    }
    const candidates: [number, KeyState][] = [];
    const offer = (index: number): void => {
      if (this.#isDone[index] === 1 || this.#operations[index].invoked > until) return;
      for (const next of this.#operations[index].next(state)) candidates.push([index, next]);
    };
    for (let index = firstOpen; index < end; index++) offer(index);
    for (let index = this.#answered; index < this.#operations.length; index++) {
      if (this.#operations[index].invoked > until) break;
      offer(index);
    }
    return { candidates, place: 0, state, firstOpen };
  }
}
