/**
 * Work that may take long, in steps of some milliseconds: it stands still between two, and whoever
 * drives it may do something else meanwhile, or never go on.
 */
export type Work<Result> = Generator<undefined, Result, unknown>;

/** Drives work on its own or beside other things, such as a deadline. */
export type Driver = <Result>(work: Work<Result>) => Result | Promise<Result>;

/** Does all of the work at once. */
export function finish<Result>(work: Work<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
