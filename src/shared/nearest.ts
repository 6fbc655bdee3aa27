/** How many typing mistakes may lie between a word and the one that was meant. */
const FARTHEST = 3;

/**
 * The candidate that a mistyped word most likely meant, if any is nearer than all of the word. Upper
 * and lower case are no mistake.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const meant = word.toLowerCase();
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(meant, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= FARTHEST && distance < word.length)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/** Levenshtein distance, cut off for long words: what is that far off is near to nothing. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > FARTHEST) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, character] of Array.from(a).entries()) {
    const next = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const replace = (row[j] ?? 0) + (character === other ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}
