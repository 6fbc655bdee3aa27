import { normalize } from 'node:path/posix';

/**
 * Absolute paths, to be asked how another path lies to them. A question takes as many looks as the
 * number of paths has digits, in base two.
 */
export class PathSet {
  /** Sorted, each with a slash at its end, and none below another. */
  readonly #paths: readonly string[];

  constructor(paths: readonly string[]) {
    const sorted = paths.map(withSlash).sort((a, b) => (a < b ? -1 : 1));
    const highest: string[] = [];
    for (const path of sorted) {
      // Whatever is below a path comes right after it.
      const last = highest.at(-1);
      if (last === undefined || !path.startsWith(last)) highest.push(path);
    }
    this.#paths = highest;
  }

  /** Whether a path is one of the set, or below one. */
  contains(path: string): boolean {
    const sought = withSlash(path);
    const after = this.#firstAfter(sought);
    const before = this.#paths[after - 1];
    return before !== undefined && sought.startsWith(before);
  }

  /** Whether a path is one of the set, below one, or above one. */
  overlaps(path: string): boolean {
    const sought = withSlash(path);
    const isAbove = this.#paths[this.#firstAfter(sought)]?.startsWith(sought) ?? false;
    return isAbove || this.contains(path);
  }

  /** Index of the first path that comes after another one. */
  #firstAfter(path: string): number {
    let [low, high] = [0, this.#paths.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#paths[middle] ?? '') <= path) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whether a path is a directory or below it. */
export function isWithin(path: string, directory: string): boolean {
  return withSlash(path).startsWith(withSlash(directory));
}

/** A path in its shortest form, with a slash at its end. */
function withSlash(path: string): string {
  const normal = normalize(path);
  return normal.endsWith('/') ? normal : `${normal}/`;
}
