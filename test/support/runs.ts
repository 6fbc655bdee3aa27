/** Set where every property is to be tried in full: in CI. */
const IS_FULL = process.env['KPACK_NOTARY_FULL_RUNS'] === '1';

/**
 * How often a property is tried.
 *
 * @param full where time does not matter; else a fifth
 */
export function runs(full: number): { readonly numRuns: number } {
  return { numRuns: IS_FULL ? full : Math.ceil(full / 5) };
}
