// Addresses of pods, one after another over the whole cluster: 10.0.0.1 to 10.99.255.254, which no node has (numbered-bytes.ts), none that ends in 0
// or 255. Unique among the last ADDRESSES; behind what the cluster's pods have, until all have been given once.

const LAST_PART = 254;
const SECOND_PARTS = 100;
const PARTS = 256;
const ADDRESSES: number = SECOND_PARTS * PARTS * LAST_PART;
const ADDRESS = /^10\.(\d{1,2})\.(\d{1,3})\.(\d{1,3})$/;

export class PodAddresses {
  #next = 0;
  #hasBegunAnew = false;

  take(): string {
    if (this.#next === ADDRESSES) {
      this.#next = 0;
      this.#hasBegunAnew = true;
    }
    const index = this.#next++;
    const rest = Math.floor(index / LAST_PART);
    return `10.${Math.floor(rest / PARTS)}.${rest % PARTS}.${(index % LAST_PART) + 1}`;
  }

  /** A pod has it already. */
  observe(address: string): void {
    const [, second, third, last] = ADDRESS.exec(address) ?? [];
    // From the second round on those of the last one are seen, which would put off the next address to the end again and again.
    if (second === undefined || this.#hasBegunAnew) return;
    const index = (Number(second) * PARTS + Number(third)) * LAST_PART + Number(last) - 1;
    this.#next = Math.max(this.#next, index + 1);
  }
}
