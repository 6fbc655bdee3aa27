/** Longer texts are no names or values that people would want to read again. */
const LONGEST_SHOWN = 100;
/** What a terminal would obey instead of showing it: control characters, directions, line ends. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * A value as a message shows it: in quotes, cut, and not at all where it may hold credentials.
 * Lists and objects are named by their kind alone, whatever is in them.
 */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return mayHoldSecret(value) ? HIDDEN : quote(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
}

const HIDDEN = 'a value that may hold credentials';

/** A text in quotes. */
export function quote(text: string): string {
  return `"${cut(text)}"`;
}

/** A name that somebody chose, in a length that stays readable and without control characters. */
export function cut(text: string, longest = LONGEST_SHOWN): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return short.replaceAll(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** A name that somebody chose, as a message shows it: without quotes, else as a value. */
export function shownName(name: string): string {
  return mayHoldSecret(name) ? `(${HIDDEN})` : cut(name);
}

/** A user before a host, plain, wide or encoded; or what begins like a key. */
export function mayHoldCredentials(text: string): boolean {
  return /[@＠﹫]|%40|-----BEGIN/i.test(text);
}

/** Whether it looks like an address with a user, or with more than a path; or like a key. */
function mayHoldSecret(text: string): boolean {
  return mayHoldCredentials(text) || (text.includes('://') && /[?#]/.test(text));
}
