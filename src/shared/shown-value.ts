/** Names and values are truncated to this length. */
const LONGEST_SHOWN = 100;
/** Characters that control a terminal: control characters, text direction, line ends. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * Formats a value for a message: quoted and truncated. A value that may hold credentials is not
 * shown. Of lists and objects only the kind is shown.
 */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return mayHoldSecret(value) ? HIDDEN : quote(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
}

const HIDDEN = 'a value that may hold credentials';

/** A text in quotes, truncated. */
export function quote(text: string): string {
  return `"${cut(text)}"`;
}

/** Truncates a name that a user chose, and escapes control characters. */
export function cut(text: string, longest = LONGEST_SHOWN): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return short.replaceAll(UNPRINTABLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Formats a name that a user chose for a message: without quotes, and hidden like a value. */
export function shownName(name: string): string {
  return mayHoldSecret(name) ? `(${HIDDEN})` : cut(name);
}

/** Whether it may hold a user before a host (with @ plain, wide or encoded), or a PEM block. */
export function mayHoldCredentials(text: string): boolean {
  return /[@＠﹫]|%40|-----BEGIN/i.test(text);
}

/** Whether it may hold credentials, or is a URL with a query or fragment. */
function mayHoldSecret(text: string): boolean {
  return mayHoldCredentials(text) || (text.includes('://') && /[?#]/.test(text));
}
