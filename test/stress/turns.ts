/** Whose turn it is: steps of several actors that wait until they are let go, one after the other. */

/** Something that an actor is about to do. */
export interface Step {
  readonly actor: string;
  /** Lets it happen; resolves when its effect is there. */
  readonly release: () => Promise<void>;
}

/** Chooses who goes on. */
export type Choose = (actors: readonly string[]) => string;

/** Steps that wait, and actors that are not at their end. */
export class Turns {
  readonly #steps: Step[] = [];
  readonly #alive = new Set<string>();
  /** Actors that wait for what will never come, until they give up. */
  readonly #deaf = new Set<string>();
  #changed: () => void = () => undefined;

  /** An actor takes part until its work has ended; it begins when it is chosen for the first time. */
  join(actor: string, work: () => Promise<unknown>): void {
    this.#alive.add(actor);
    const leave = (): void => {
      this.#alive.delete(actor);
      const others = this.#steps.filter((step) => step.actor !== actor);
      this.#steps.splice(0, Infinity, ...others);
      this.#changed();
    };
    const release = (): Promise<void> => {
      work().then(leave, leave);
      return Promise.resolve();
    };
    this.arrive({ actor, release });
  }

  /** A step waits to be let go. */
  arrive(step: Step): void {
    this.#steps.push(step);
    this.#deaf.delete(step.actor);
    this.#changed();
  }

  /** Nobody waits for the next step of an actor, as long as another can go on. */
  ignore(actor: string): void {
    this.#deaf.add(actor);
  }

  /** Whether a step of the actor waits. */
  isWaiting(actor: string): boolean {
    return this.#steps.some((step) => step.actor === actor);
  }

  /** Lets one step go after the other, until there is none and every actor is at its end. */
  async play(choose: Choose): Promise<void> {
    for (;;) {
      const waiting = this.#steps.map(({ actor }) => actor);
      const actors = [...new Set([...this.#alive, ...waiting])];
      if (actors.length === 0) return;
      const hearing = actors.filter((actor) => waiting.includes(actor) || !this.#deaf.has(actor));
      const chosen = choose(hearing.length > 0 ? hearing : actors);
      const index = this.#steps.findIndex(({ actor }) => actor === chosen);
      const [step] = index < 0 ? [] : this.#steps.splice(index, 1);
      if (step) await step.release();
      else await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }
}
