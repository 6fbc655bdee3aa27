/** The most typing mistakes that a suggestion may correct. */
const FARTHEST = 3;

/**
 * The candidate that the author of a mistyped word most likely meant. There is none when every
 * letter would have to change. Upper and lower case count as equal.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const meant = word.toLowerCase();
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(meant, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= FARTHEST && distance < word.length)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/**
 * Levenshtein distance, or Infinity as soon as it exceeds the limit. This keeps it cheap for an
 * object with thousands of similar names.
 */
function editDistance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > FARTHEST) return Infinity;
  const alike = commonPrefix(one, other);
  const [a, b] = [one.slice(alike), other.slice(alike)];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replace = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    if (Math.min(...next) > FARTHEST) return Infinity;
    row = next;
  }
  return row[b.length] ?? Infinity;
}

function commonPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}
