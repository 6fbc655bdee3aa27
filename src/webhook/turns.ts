/** Work that waits for its turn. */
interface Task {
  readonly start: () => Promise<void>;
}

interface Party {
  running: number;
  readonly waiting: Task[];
}

/** How much is done at once. */
export interface TurnOptions {
  readonly atOnce: number;
  /** Of one party. */
  readonly ofParty: number;
}

/**
 * Lets parties share what can be done at once. Each has its turn after the others, however much one
 * of them wants, and none has all of it.
 */
export class Turns {
  readonly #options: TurnOptions;
  /** Those that have anything running or waiting; the next to have its turn comes first. */
  readonly #parties = new Map<string, Party>();
  #running = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  /**
   * Does work when it is its party's turn.
   *
   * @param signal where it is aborted before that, the work is not done
   * @throws Error the reason of the signal, or what the work throws
   */
  run<T>(party: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const start = async () => {
        if (signal?.aborted) reject(signal.reason as Error);
        else await work().then(resolve, reject);
      };
      const known = this.#parties.get(party);
      if (known) known.waiting.push({ start });
      else this.#parties.set(party, { running: 0, waiting: [{ start }] });
      this.#next();
    });
  }

  #next(): void {
    const { atOnce, ofParty } = this.#options;
    for (const [name, party] of this.#parties) {
      if (this.#running >= atOnce) return;
      if (party.running >= ofParty) continue;
      const task = party.waiting.shift();
      if (!task) continue;
      // To the end; this loop comes to it again.
      this.#parties.delete(name);
      this.#parties.set(name, party);
      void this.#do(name, party, task);
    }
  }

  async #do(name: string, party: Party, { start }: Task): Promise<void> {
    this.#running++;
    party.running++;
    await start();
    this.#running--;
    party.running--;
    if (party.running === 0 && party.waiting.length === 0) this.#parties.delete(name);
    this.#next();
  }
}
