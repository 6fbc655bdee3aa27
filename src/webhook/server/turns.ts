interface Party {
  running: number;
  /** Work that waits for its turn. */
  readonly waiting: (() => void)[];
}

/**
 * Lets parties share what can be done at once. Each has its turn after the others, however much one
 * of them wants, and none has all of it.
 */
export class Turns {
  readonly #options: { readonly atOnce: number; readonly ofParty: number };
  /** Those that have anything running or waiting; the next to have its turn comes first. */
  readonly #parties = new Map<string, Party>();
  #running = 0;

  /** How much is done at once, and of that, of one party. */
  constructor(options: { readonly atOnce: number; readonly ofParty: number }) {
    this.#options = options;
  }

  /**
   * Does work when it is its party's turn.
   *
   * @param signal where it is aborted before that, that is told at once, and the work is not done
   * @throws Error the reason of the signal, or what the work throws
   */
  run<T>(party: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    let known = this.#parties.get(party);
    if (!known) this.#parties.set(party, (known = { running: 0, waiting: [] }));
    if (this.#hasRoom(known)) return this.#do(party, known, work);
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(signal?.reason as Error);
      signal?.addEventListener('abort', giveUp, { once: true });
      known.waiting.push(() => {
        signal?.removeEventListener('abort', giveUp);
        return signal?.aborted
          ? this.#leave(party, known)
          : void this.#do(party, known, work).then(resolve, reject);
      });
    });
  }

  #hasRoom({ running }: Party): boolean {
    return this.#running < this.#options.atOnce && running < this.#options.ofParty;
  }

  #next(): void {
    for (const [name, party] of this.#parties) {
      if (this.#running >= this.#options.atOnce) return;
      // To the end, whatever comes of its turn; this loop comes to it again.
      if (!this.#hasRoom(party) || party.waiting.length === 0) continue;
      this.#parties.delete(name);
      this.#parties.set(name, party);
      party.waiting.shift()?.();
    }
  }

  #do<T>(name: string, party: Party, work: () => Promise<T>): Promise<T> {
    this.#running++;
    party.running++;
    const end = () => {
      this.#running--;
      party.running--;
      this.#leave(name, party);
      this.#next();
    };
    const result = work();
    void result.then(end, end);
    return result;
  }

  /** A party that has nothing to do is forgotten: anybody may name one. */
  #leave(name: string, { running, waiting }: Party): void {
    if (running === 0 && waiting.length === 0) this.#parties.delete(name);
  }
}
