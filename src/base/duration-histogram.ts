// Counts durations in fixed buckets, cheaply enough for every disk operation, and writes them as Prometheus text.

export class DurationHistogram {
  /** Upper bounds in seconds, ascending. */
  readonly #bounds: readonly number[];
  /** One more than bounds: the last counts what is above all of them. */
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && seconds > this.#bounds[bucket]) bucket++;
    this.#counts[bucket]++;
    this.#sum += seconds;
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** The metric in Prometheus' text format, with a line break at its end. */
  text(name: string, help: string): string {
    return `# HELP ${name} ${help}\n# TYPE ${name} histogram\n${this.series(name)}`;
  }

  /** One of a metric's series, by its labels (`a="1",b="2"`): its lines alone. */
  series(name: string, labels = ''): string {
    const own = labels === '' ? '' : `{${labels}}`;
    const withBound = labels === '' ? '' : `${labels},`;
    let text = '';
    let total = 0;
    for (let i = 0; i < this.#bounds.length; i++) {
      total += this.#counts[i];
      text += `${name}_bucket{${withBound}le="${this.#bounds[i]}"} ${total}\n`;
    }
    text += `${name}_bucket{${withBound}le="+Inf"} ${this.#count}\n`;
    return `${text}${name}_sum${own} ${this.#sum}\n${name}_count${own} ${this.#count}\n`;
  }
}
