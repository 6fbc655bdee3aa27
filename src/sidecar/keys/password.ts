import { decodeText } from '../io/text-file.ts';

/** The password of the keys, and the ways to read it, the likeliest first. */
export interface Password {
  readonly candidates: readonly Uint8Array[];
  readonly isText: boolean;
}

/** Each run of blanks is tried from its beginning alone: of very many, the time would be squared. */
const BLANKS_AROUND = /^[\s\u0085]+|(?<![\s\u0085])[\s\u0085]+$/gu;
/** The same in bytes that are no text, each a character. */
const ASCII_BLANKS_AROUND = /^[\t-\r ]+|(?<![\t-\r ])[\t-\r ]+$/g;

/**
 * The password in files that are to hold the same: without the blanks around it, as kpack reads it,
 * or with them, as the tools took it. Bytes that are no text are a password as well.
 *
 * @returns undefined when they differ by more than blanks
 */
export function readPassword(files: readonly [Buffer, ...Buffer[]]): Password | undefined {
  const trimmed = files.map(trim);
  const [first] = trimmed;
  if (!first || trimmed.some((each) => !each.equals(first))) return undefined;
  const candidates = new Map([first, ...files].map((each) => [each.toString('latin1'), each]));
  return { candidates: [...candidates.values()], isText: isText(files[0]) };
}

function trim(bytes: Buffer): Buffer {
  if (isText(bytes)) return Buffer.from(decodeText(bytes).replace(BLANKS_AROUND, ''));
  return Buffer.from(bytes.toString('latin1').replace(ASCII_BLANKS_AROUND, ''), 'latin1');
}

function isText(bytes: Buffer): boolean {
  const text = decodeText(bytes);
  return !text.includes('\ufffd') && !text.includes('\0');
}
