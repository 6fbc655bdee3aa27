/** Characters that no POSIX shell reads as anything else than themselves, wherever they stand. */
const BARE = /^[A-Za-z0-9_@%+:,./-]+$/;

/**
 * A text as one word of a POSIX shell: the shell hands on exactly this text, and runs nothing in it.
 * Texts that need no quotes stay as they are.
 */
export function shellWord(text: string): string {
  return BARE.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
}

/**
 * A command for people to run, between backticks, as all commands in messages, fixes and warnings
 * are written: `` command`notary -s ${url} init ${gun}` ``. Each value is one word of the shell. What
 * the reader has to fill in stands as `<name>` in the text.
 */
export function command(text: TemplateStringsArray, ...values: readonly string[]): string {
  const words = values.map(shellWord);
  return `\`${text.map((part, i) => `${part}${words[i] ?? ''}`).join('')}\``;
}

/** A quoted part of a command, any other of its characters, and a whole command. */
const COMMAND = /`(?:'[^']*'|"[^"]*"|[^`'"])*`/g;

/** The commands in a text, without their backticks, as {@link command} wrote them there. */
export function commandsIn(text: string): readonly string[] {
  return [...text.matchAll(COMMAND)].map(([written]) => written.slice(1, -1));
}

/**
 * The beginning of a text, at most so many bytes of UTF-8 with the mark at its end. No character is
 * cut, and no command: half of one does something else.
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
