/** Lines that two texts share, those of the first alone, those of the second alone. */
export interface DiffLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

/** Lines of context around a change. */
const CONTEXT = 2;

/** A line diff by longest common subsequence, with far-off common lines left out as `…`. */
export function diffLines(before: string, after: string): readonly DiffLine[] {
  const [a, b] = [before.trimEnd().split('\n'), after.trimEnd().split('\n')];
  const lengths = commonLengths(a, b);
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      lines.push({ sign: ' ', text: left });
      i++;
      j++;
    } else if (right === undefined || at(lengths, i + 1, j) >= at(lengths, i, j + 1)) {
      lines.push({ sign: '-', text: left ?? '' });
      i++;
    } else {
      lines.push({ sign: '+', text: right });
      j++;
    }
  }
  return withContext(lines);
}

/** Length of the longest common subsequence of a[i…] and b[j…]. */
function commonLengths(a: readonly string[], b: readonly string[]): readonly number[][] {
  const lengths = Array.from({ length: a.length + 1 }, () =>
    new Array<number>(b.length + 1).fill(0),
  );
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = lengths[i];
      if (!row) continue;
      row[j] =
        a[i] === b[j]
          ? at(lengths, i + 1, j + 1) + 1
          : Math.max(at(lengths, i + 1, j), at(lengths, i, j + 1));
    }
  }
  return lengths;
}

function at(lengths: readonly number[][], i: number, j: number): number {
  return lengths[i]?.[j] ?? -1;
}

function withContext(lines: readonly DiffLine[]): readonly DiffLine[] {
  const isNear = (at: number) =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== ' ');
  return lines.flatMap((line, i): DiffLine[] => {
    if (isNear(i)) return [line];
    return i > 0 && isNear(i - 1) ? [{ sign: ' ', text: '…' }] : [];
  });
}
