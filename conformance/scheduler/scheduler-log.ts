/**
 * What kube-scheduler's log tells: which objects it has seen, and how each plugin scored each node.
 *
 * It has to run with `-v=4 --vmodule=schedule_one=10`. Lines are written before what they tell of becomes visible anywhere
 * else, so once an API object shows a decision, its lines are in the file.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { until } from '../lab/wait.ts';

const chunkBytes = 1 << 20;
const seenTimeoutMs = 30_000;

/** Weighted scores of a node by plugin, and their sum. */
export interface LoggedScores {
  readonly byPlugin: Map<string, number>;
  total: number | undefined;
}

export class SchedulerLog {
  readonly #file: number;
  #position = 0;
  #rest = '';
  /** `what key`, of events since the last mark: how often. */
  readonly #events = new Map<string, number>();
  /** By pod, then by node. */
  readonly #scores = new Map<string, Map<string, LoggedScores>>();

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Forgets what was told so far. */
  mark(): void {
    this.#read();
    this.#events.clear();
    this.#scores.clear();
  }

  /** Waits until an event was told that often for each key: `Add event for node`, keys of the objects. */
  async seen(what: string, keys: readonly string[], times = 1): Promise<void> {
    await until(`the scheduler's log to tell "${what}"`, { timeoutMs: seenTimeoutMs, everyMs: 3 }, () => {
      this.#read();
      const missing = keys.filter((key) => (this.#events.get(`${what} ${key}`) ?? 0) < times);
      return missing.length === 0 ? true : `not of ${missing.join(', ')}`;
    });
  }

  scoresOf(pod: string): ReadonlyMap<string, LoggedScores> {
    this.#read();
    return this.#scores.get(pod) ?? new Map();
  }

  #read(): void {
    const chunk = Buffer.alloc(chunkBytes);
    while (true) {
      const bytes = readSync(this.#file, chunk, 0, chunkBytes, this.#position);
      if (bytes === 0) return;
      this.#position += bytes;
      // Names and numbers only: no character of more than one byte is cut in a line that is looked at.
      const lines = (this.#rest + chunk.toString('latin1', 0, bytes)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    }
  }

  #take(line: string): void {
    const message = /\] "([^"]*)"(.*)$/.exec(line);
    if (message === null) return;
    const fields = new Map([...message[2].matchAll(/ (\w+)=(?:"([^"]*)"|(\S+))/g)].map((m) => [m[1], m[2] ?? m[3]]));
    const pod = fields.get('pod') ?? '';
    const node = fields.get('node') ?? '';
    switch (message[1]) {
      case 'Plugin scored node for pod':
        this.#scoresAt(pod, node).byPlugin.set(fields.get('plugin') ?? '', Number(fields.get('score')));
        break;
      case "Calculated node's final score for pod":
        this.#scoresAt(pod, node).total = Number(fields.get('score'));
        break;
      default:
        if (message[1].includes(' event for ')) {
          const event = `${message[1]} ${pod === '' ? node : pod}`;
          this.#events.set(event, (this.#events.get(event) ?? 0) + 1);
        }
    }
  }

  #scoresAt(pod: string, node: string): LoggedScores {
    const nodes = this.#scores.get(pod) ?? new Map<string, LoggedScores>();
    const scores = nodes.get(node) ?? { byPlugin: new Map<string, number>(), total: undefined };
    nodes.set(node, scores);
    this.#scores.set(pod, nodes);
    return scores;
  }
}
