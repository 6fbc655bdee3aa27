interface Waiting {
  readonly size: number;
  readonly go: () => void;
}

/** Milliseconds of work in one turn of the event loop. */
const TURN_MS = 10;

/**
 * Spreads work over turns of the event loop, so that what has arrived meanwhile, and is smaller, is
 * looked at between two large pieces. Work here is what is done until the next wait for anything.
 */
export class Pace {
  /** The smallest first. */
  readonly #waiting: Waiting[] = [];
  /** When the first work of this turn began; undefined: there was none yet. */
  #begun: number | undefined;
  /** Whether somebody was let go on whose work has not been done yet. */
  #isEntered = false;

  /** Resolves when work of that size may be done: at once where there is little to do. */
  async enter(size: number): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isEntered && !this.#isTurnOver()) {
      this.#isEntered = true;
      process.nextTick(() => (this.#isEntered = false));
      return this.#begin();
    }
    await new Promise<void>((go) => {
      const larger = this.#waiting.findIndex((other) => other.size > size);
      this.#waiting.splice(larger < 0 ? this.#waiting.length : larger, 0, { size, go });
    });
  }

  #isTurnOver(): boolean {
    return this.#begun !== undefined && performance.now() - this.#begun > TURN_MS;
  }

  #begin(): void {
    if (this.#begun !== undefined) return;
    this.#begun = performance.now();
    setImmediate(() => void this.#next());
  }

  /** A new turn: lets those that wait go on, as long as there is time. */
  async #next(): Promise<void> {
    this.#begun = undefined;
    for (let place = this.#waiting.shift(); place; place = this.#waiting.shift()) {
      this.#begin();
      place.go();
      // Runs when the work that goes on has come to its next wait.
      await new Promise((resolve) => process.nextTick(resolve));
      if (this.#isTurnOver()) return;
    }
  }
}
