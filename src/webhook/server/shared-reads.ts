/** A read that has not begun, which others may join. */
interface Joinable<T> {
  readonly result: Promise<T>;
  readonly end: AbortController;
  callers: number;
}

/**
 * Lets those that read the same thing at the same time share one read. A read that has begun is not
 * joined: what a caller gets was read after it asked. Of one thing, one read is under way at a time.
 */
export class SharedReads<T> {
  readonly #joinable = new Map<string, Joinable<T>>();
  /** Resolves when the last read of a thing has ended. */
  readonly #ends = new Map<string, Promise<void>>();

  /**
   * @param key names what is read
   * @param signal gives up waiting; its reason is an Error
   * @param read reads it, once for all that share it; its signal is aborted when all have given up
   * @throws Error the reason of the signal, or what the read throws
   */
  get(
    key: string,
    signal: AbortSignal | undefined,
    read: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    // Nobody is there to share it with.
    return this.#ends.has(key) ? this.#share(key, signal, read) : this.#track(key, read(signal));
  }

  async #share(
    key: string,
    signal: AbortSignal | undefined,
    read: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const joined = this.#joinable.get(key) ?? this.#open(key, read);
    joined.callers++;
    if (signal === undefined) return joined.result;
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => {
        const reason = signal.reason as Error;
        joined.callers--;
        if (joined.callers === 0) {
          // Nobody wants the read any more. Whoever asks from now on has another one.
          if (this.#joinable.get(key) === joined) this.#joinable.delete(key);
          joined.end.abort(reason);
        }
        reject(reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      const end = () => signal.removeEventListener('abort', giveUp);
      joined.result.then(resolve, reject).finally(end);
    });
  }

  #open(key: string, read: (signal: AbortSignal) => Promise<T>): Joinable<T> {
    const end = new AbortController();
    const before = this.#ends.get(key) ?? Promise.resolve();
    const result = before.then(() => {
      // Of a read that all have given up, another one may have the place.
      end.signal.throwIfAborted();
      this.#joinable.delete(key);
      return read(end.signal);
    });
    const opened = { result: this.#track(key, result), end, callers: 0 };
    this.#joinable.set(key, opened);
    return opened;
  }

  /** Notes a read as the last one of its thing until it has ended. */
  #track(key: string, result: Promise<T>): Promise<T> {
    const end = () => {
      if (this.#ends.get(key) === ended) this.#ends.delete(key);
    };
    const ended: Promise<void> = result.then(end, end);
    this.#ends.set(key, ended);
    return result;
  }
}
