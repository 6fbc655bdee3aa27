/** A story that is told while it happens: what was done, what came of it, how long it took. */

/** Tells and counts. */
export interface Story {
  /** What follows belongs together. */
  chapter(title: string): void;
  /** Something that is not judged. */
  tell(line: string): void;
  /**
   * Something that has to hold.
   *
   * @param work throws where it does not; what it returns is told, after its title
   */
  check(title: string, work: () => Promise<string>): Promise<void>;
  /** How many things held, and which did not. */
  readonly held: number;
  readonly failures: readonly string[];
}

/** @param onFailure is asked for the logs that matter, each time that something did not hold */
export function startStory(onFailure: () => Promise<string>): Story {
  const begin = performance.now();
  const failures: string[] = [];
  let held = 0;
  const tell = (line: string) => {
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    console.log(`${seconds.padStart(6)} s  ${line}`);
  };
  return {
    chapter: (title) => console.log(`\n${title}`),
    tell,
    check: async (title, work) => {
      try {
        tell(`${title}: ${await work()}`);
        held += 1;
      } catch (error) {
        failures.push(title);
        tell(`NOT OK ${title}`);
        console.log(error instanceof Error ? error.message : error);
        console.log(await onFailure());
      }
    },
    get held() {
      return held;
    },
    failures,
  };
}
