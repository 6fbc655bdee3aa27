/** A string, a mark, or a number or word of JSON. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
/** How many objects are around an entry: the file, `signed`, and `targets`. */
const ENTRY_DEPTH = 3;

/**
 * The entries of a targets or delegation file as they are written there, without white space; by
 * tag. JSON.parse rounds large integers, and forgets how a text was escaped.
 *
 * @param text valid JSON
 */
export function entryTexts(text: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  /** By depth, the member that is being read. */
  const path: string[] = [];
  let depth = 0;
  let before = '';
  let entry: string[] | undefined;
  for (const [token] of text.matchAll(TOKEN)) {
    const isEnd = depth === ENTRY_DEPTH && (token === ',' || token === '}');
    if (entry && isEnd) {
      entries.set(path[ENTRY_DEPTH] ?? '', entry.join(''));
      entry = undefined;
    }
    entry?.push(token);
    if (token === '{' || token === '[') {
      depth += 1;
      if (!entry) path[depth] = '';
    } else if (token === '}' || token === ']') {
      depth -= 1;
    } else if (token === ':' && !entry) {
      path[depth] = JSON.parse(before) as string;
      const [, file, signed] = path;
      if (depth === ENTRY_DEPTH && file === 'signed' && signed === 'targets') entry = [];
    }
    before = token;
  }
  return entries;
}
