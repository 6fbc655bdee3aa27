/** What is told of repeated measurements: the middle, and how far the middle half reaches. */

/** Median and quartiles. */
export interface Summary {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/**
 * Median, first and third quartile.
 *
 * @throws Error without values
 */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    low: quantile(sorted, 0.25),
    median: quantile(sorted, 0.5),
    high: quantile(sorted, 0.75),
  };
}

/**
 * How many times as much as a baseline, round by round: what slows a whole round down does not
 * change its ratio.
 */
export function ratio(values: readonly number[], baseline: readonly number[]): Summary {
  return summarize(values.map((value, round) => value / (baseline[round] ?? NaN)));
}

/**
 * The value that a share of the others is below; between two neighbours, in proportion.
 *
 * @param sorted the smallest first
 * @throws Error without values
 */
export function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new Error('nothing was measured');
  return below + (above - below) * (place % 1);
}
