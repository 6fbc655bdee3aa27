/** Characters that have no special meaning in a POSIX shell, wherever they stand. */
const BARE = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * Quotes a text as one word of a POSIX shell, so that the shell passes on exactly this text and runs
 * nothing in it. A text that needs no quotes stays as it is.
 */
export function shellWord(text: string): string {
  return BARE.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * Formats a command for users to run, between backticks. All messages, fixes and warnings use it:
 * `` command`notary -s ${url} init ${gun}` ``. Each value becomes one word of the shell. A placeholder
 * that users fill in is written as `<name>`.
 */
export function command(text: TemplateStringsArray, ...values: readonly string[]): string {
  const words = values.map(shellWord);
  return `\`${text.map((part, i) => `${part}${words[i] ?? ''}`).join('')}\``;
}

/** A command between backticks; a quoted part of it may hold backticks. */
const COMMAND = /`(?:'[^']*'|"[^"]*"|[^`'"])*`/g;

/** The commands that {@link command} wrote into a text, without their backticks. */
export function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(COMMAND)].map(([written]) => written.slice(1, -1));
}

/**
 * Truncates a text to this many bytes of UTF-8, the mark at its end included. It never splits a
 * character. It drops a command that does not fit, because half of a command does something else.
 */
export function cutText(text: string, bytes: number, mark = '…'): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const room = Math.max(bytes - Buffer.byteLength(mark), 0);
  const kept = Buffer.from(text)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD$/, '');
  const broken = [...text.matchAll(COMMAND)].find(
    ({ index, 0: { length } }) => index < kept.length && index + length > kept.length,
  );
  return `${kept.slice(0, broken?.index)}${mark}`;
}
