/** A part of a budget that somebody holds. */
export interface Share {
  /** Aborted when others have waited too long. A holder that waits for something itself has to let go. */
  readonly revoked: AbortSignal;
  /** Gives the share back. May be repeated. */
  release(): void;
}

/** No share can be had: nothing was taken. */
export class BudgetError extends Error {
  override readonly name = 'BudgetError';
}

/** The bounds of a budget. */
export interface BudgetOptions {
  /** Bytes that may be held at once. */
  readonly total: number;
  /** How many may wait. Beyond that the largest that waits is refused. */
  readonly mostWaiting: number;
  /** Milliseconds after which a holder is asked to let go while others wait. */
  readonly revokeAfter: number;
}

interface Waiting {
  readonly bytes: number;
  readonly end: (outcome: Share | BudgetError) => void;
}

interface Holder {
  readonly since: number;
  /** Undefined: nobody has asked for the signal yet. */
  revoke: AbortController | undefined;
}

const CHECKS_UNTIL_REVOKED = 4;

/**
 * A number of bytes that many share. Whoever asks while they are used up waits; the smallest comes
 * first, and among equals the one that has waited longest.
 */
export class ByteBudget {
  readonly #options: BudgetOptions;
  #left: number;
  /** The smallest first. */
  readonly #waiting: Waiting[] = [];
  /** Holders that were not asked to let go, the oldest first. */
  readonly #holders = new Set<Holder>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#left = options.total;
  }

  /**
   * Takes a share, and waits for it where necessary.
   *
   * @param bytes at most the total
   * @param signal gives the waiting up; its reason is an Error
   * @throws BudgetError when too many wait
   * @throws Error the reason of the signal
   */
  take(bytes: number, signal: AbortSignal): Promise<Share> {
    if (this.#waiting.length === 0 && bytes <= this.#left)
      return Promise.resolve(this.#hold(bytes));
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise<Share>((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(signal.reason as Error);
        this.#serve();
      };
      const place: Waiting = {
        bytes,
        end: (outcome) => {
          signal.removeEventListener('abort', giveUp);
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#queue(place);
    });
  }

  #queue(place: Waiting): void {
    const larger = this.#waiting.findIndex(({ bytes }) => bytes > place.bytes);
    this.#waiting.splice(larger < 0 ? this.#waiting.length : larger, 0, place);
    if (this.#waiting.length > this.#options.mostWaiting) {
      this.#waiting.pop()?.end(new BudgetError('too many wait'));
    }
    this.#serve();
  }

  /** Gives out what there is, and sees to it that nobody keeps it for nothing. */
  #serve(): void {
    for (let [next] = this.#waiting; next && next.bytes <= this.#left; [next] = this.#waiting) {
      this.#waiting.shift();
      next.end(this.#hold(next.bytes));
    }
    if (this.#waiting.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      const { revokeAfter } = this.#options;
      const interval = revokeAfter / CHECKS_UNTIL_REVOKED;
      this.#timer ??= setInterval(() => this.#revoke(), interval).unref();
    }
  }

  #revoke(): void {
    for (const holder of this.#holders) {
      if (performance.now() - holder.since < this.#options.revokeAfter) return;
      this.#holders.delete(holder);
      holder.revoke?.abort(new BudgetError('others wait'));
    }
  }

  #hold(bytes: number): Share {
    this.#left -= bytes;
    const holder: Holder = { since: performance.now(), revoke: undefined };
    this.#holders.add(holder);
    let isHeld = true;
    return {
      get revoked() {
        return (holder.revoke ??= new AbortController()).signal;
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#holders.delete(holder);
        this.#left += bytes;
        this.#serve();
      },
    };
  }
}
