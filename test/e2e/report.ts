/** A report that is told while it happens: what was done, what came of it, how long it took. */

/** Tells and counts. */
export interface Report {
  /** What follows belongs together. */
  section(title: string): void;
  /** Something that is not judged. */
  tell(line: string): void;
  /**
   * Something that has to hold.
   *
   * @param work throws where it does not; what it returns is told, after its title
   * @param namespace whose pods are looked at where it does not
   */
  check(title: string, work: () => Promise<string>, namespace?: string): Promise<void>;
  /** How many things held, and which did not. */
  readonly held: number;
  readonly failures: readonly string[];
}

/** What comes first most often explains the rest. */
const FAILURES_WITH_LOGS = 3;

/** @param logs is asked for what tells why something did not hold */
export function startReport(logs: (namespace?: string) => Promise<string>): Report {
  const begin = performance.now();
  const failures: string[] = [];
  let held = 0;
  const tell = (line: string) => {
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    console.log(`${seconds.padStart(6)} s  ${line}`);
  };
  return {
    section: (title) => console.log(`\n${title}`),
    tell,
    check: async (title, work, namespace) => {
      try {
        tell(`${title}: ${await work()}`);
        held += 1;
      } catch (error) {
        failures.push(title);
        tell(`NOT OK ${title}`);
        console.log(error instanceof Error ? error.message : error);
        if (failures.length <= FAILURES_WITH_LOGS) console.log(await logs(namespace));
      }
    },
    get held() {
      return held;
    },
    failures,
  };
}
