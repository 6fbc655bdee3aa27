/** A part of a budget that somebody holds. */
export interface Share {
  /** Aborted when the holder has to let go: what it waits for has not arrived, and others wait. */
  readonly revoked: AbortSignal;
  /** What the holder waited for has arrived: the share stays until it is released. */
  settle(): void;
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
  /** Milliseconds that a holder may stay unsettled while others wait. */
  readonly patience: number;
}

interface Waiting {
  readonly bytes: number;
  readonly grant: (share: Share) => void;
  readonly refuse: (reason: Error) => void;
}

interface Holder {
  readonly since: number;
  /** Undefined: nobody has asked for the signal yet. */
  revoke: AbortController | undefined;
}

const TICKS_PER_PATIENCE = 4;

/**
 * A number of bytes that many share. Whoever asks while they are used up waits; the smallest comes
 * first, and among equals the one that has waited longest.
 */
export class ByteBudget {
  readonly #options: BudgetOptions;
  #left: number;
  /** The smallest first. */
  readonly #waiting: Waiting[] = [];
  /** Holders that wait for something themselves, the oldest first. */
  readonly #unsettled = new Set<Holder>();
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
    return new Promise((resolve, reject) => {
      const end = () => signal.removeEventListener('abort', giveUp);
      const place: Waiting = {
        bytes,
        grant: (share) => {
          end();
          resolve(share);
        },
        refuse: (reason) => {
          end();
          reject(reason);
        },
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(place), 1);
        reject(signal.reason as Error);
        this.#serve();
      };
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#queue(place);
    });
  }

  #queue(place: Waiting): void {
    const larger = this.#waiting.findIndex(({ bytes }) => bytes > place.bytes);
    this.#waiting.splice(larger < 0 ? this.#waiting.length : larger, 0, place);
    if (this.#waiting.length > this.#options.mostWaiting) {
      this.#waiting.pop()?.refuse(new BudgetError('too many wait'));
    }
    this.#serve();
  }

  /** Gives out what there is, and sees to it that nobody keeps it for nothing. */
  #serve(): void {
    for (let [next] = this.#waiting; next && next.bytes <= this.#left; [next] = this.#waiting) {
      this.#waiting.shift();
      next.grant(this.#hold(next.bytes));
    }
    if (this.#waiting.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    } else {
      const { patience } = this.#options;
      this.#timer ??= setInterval(() => this.#revoke(), patience / TICKS_PER_PATIENCE).unref();
    }
  }

  #revoke(): void {
    for (const holder of this.#unsettled) {
      if (performance.now() - holder.since < this.#options.patience) return;
      this.#unsettled.delete(holder);
      holder.revoke?.abort(new BudgetError('others wait'));
    }
  }

  #hold(bytes: number): Share {
    this.#left -= bytes;
    const holder: Holder = { since: performance.now(), revoke: undefined };
    this.#unsettled.add(holder);
    let isHeld = true;
    return {
      get revoked() {
        return (holder.revoke ??= new AbortController()).signal;
      },
      settle: () => void this.#unsettled.delete(holder),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#unsettled.delete(holder);
        this.#left += bytes;
        this.#serve();
      },
    };
  }
}
