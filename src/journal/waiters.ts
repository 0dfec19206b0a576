// Promises for conditions on a state that somebody else changes, and says so.

interface Waiter {
  readonly isReached: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Waiters {
  readonly #waiters: Waiter[] = [];

  /** Resolves when the condition holds, rejects with a failure; both are looked at by the next `wake`. */
  until(isReached: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ isReached, resolve, reject });
    });
  }

  /** The state has changed. With `failure` no condition will hold any more. */
  wake(failure: Error | undefined): void {
    for (let i = this.#waiters.length - 1; i >= 0; i--) {
      const waiter = this.#waiters[i];
      if (failure !== undefined) waiter.reject(failure);
      else if (waiter.isReached()) waiter.resolve();
      else continue;
      this.#waiters.splice(i, 1);
    }
  }
}
