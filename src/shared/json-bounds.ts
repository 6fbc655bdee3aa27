export interface JsonBounds {
  /** How deeply lists and objects may be nested. */
  readonly depth: number;
  /** How many brackets, commas and colons the text may have. */
  readonly parts: number;
}

const OTHER = 0;
const OPENS = 1;
const CLOSES = 2;
const SEPARATES = 3;
const QUOTE = 4;
const MEANING = new Uint8Array(256);
for (const [characters, meaning] of [
  ['{[', OPENS],
  ['}]', CLOSES],
  [',:', SEPARATES],
  ['"', QUOTE],
] as const) {
  for (const character of characters) MEANING[character.charCodeAt(0)] = meaning;
}
const [QUOTE_CODE, BACKSLASH_CODE] = [0x22, 0x5c];

/**
 * Which limit a text exceeds; undefined if none. Reads each byte once and allocates nothing, because
 * parsing can take thirty times the memory of the text. It does not check whether the text is JSON.
 *
 * @param text in UTF-8
 */
export function exceededBound(text: Buffer, most: JsonBounds): keyof JsonBounds | undefined {
  let [depth, parts] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    switch (MEANING[text[at] ?? OTHER] ?? OTHER) {
      case OPENS:
        parts++;
        depth++;
        if (depth > most.depth) return 'depth';
        break;
      case CLOSES:
        depth--;
        break;
      case SEPARATES:
        parts++;
        break;
      case QUOTE:
        at = endOfString(text, at);
        break;
    }
    if (parts > most.parts) return 'parts';
  }
  return undefined;
}

/** The index of the quote that closes a string, or the length of the text if none does. */
function endOfString(text: Buffer, start: number): number {
  for (
    let quote = text.indexOf(QUOTE_CODE, start + 1);
    ;
    quote = text.indexOf(QUOTE_CODE, quote + 1)
  ) {
    if (quote < 0) return text.length;
    let before = quote - 1;
    while (text[before] === BACKSLASH_CODE) before--;
    // An even number of backslashes does not escape the quote.
    if ((quote - before) % 2 === 1) return quote;
  }
}
