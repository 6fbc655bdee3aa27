/**
 * Files of targets as text: a repository may have a hundred thousand tags, and an object for each
 * takes ten times the memory of the file. Where a file is written as Notary writes it, its entries
 * are read one after the other, checked to be canonical, and left where they are.
 */
import { canonicalJson, NotCanonicalError, type Json } from './canonical-json.ts';
import type { Work } from './work.ts';

/** The most bytes that are made into objects at once. */
export const LARGEST_PARSED = 4 * 1024 * 1024;

/** An entry of `targets`, where it stands. */
export interface EntryText {
  /** The tag in UTF-8, a character a byte: so written, tags sort as canonical JSON sorts them. */
  readonly key: string;
  /** From the quote before the tag to the end of the entry, in bytes from the beginning. */
  readonly start: number;
  readonly end: number;
  readonly meta: () => Json;
  /** Whether nothing is in it but the hashes and length that Notary writes. */
  readonly isPlain: boolean;
}

/** The canonical text of `signed`, without its entries. */
interface SignedText {
  readonly delegations: Json;
  readonly expires: Json;
  readonly version: Json;
  /** Where the last entry ends, in bytes from the beginning. */
  readonly entriesEnd: number;
}

/** A whole file, without the entries. */
interface FileText extends SignedText {
  /** The canonical bytes of `signed`. */
  readonly signed: Uint8Array;
  readonly signatures: Json;
}

/** Gets the entries, in their order. */
type Visit = (entry: EntryText) => void;

const ENVELOPE = '{"signed":';
/** What docker, notary and kpack write of a target. */
const PLAIN_ENTRY =
  /"([ !#-[\]-~]*)":\{"hashes":\{"sha256":"([A-Za-z0-9+/=]*)"(?:,"sha512":"([A-Za-z0-9+/=]*)")?\},"length":(0|[1-9]\d{0,14})\}/y;

/**
 * Reads a file of targets.
 *
 * @returns undefined when the file is not written as Notary writes it, which says nothing of what it
 * holds
 */
export function* scanFile(bytes: Uint8Array, visit: Visit): Work<FileText | undefined> {
  const cursor = new Cursor(bytes);
  if (!cursor.take(ENVELOPE)) return undefined;
  const start = cursor.offset;
  const text = yield* scan(cursor, visit);
  if (!text) return undefined;
  const signed = bytes.subarray(start, cursor.offset);
  if (!cursor.take(',"signatures":')) return undefined;
  const signatures = cursor.takeValue();
  if (signatures === undefined || !cursor.take('}') || !cursor.isAtEnd) return undefined;
  const parsed = parse(signatures);
  return parsed && { ...text, signed, signatures: parsed.value };
}

/** Reads the canonical text of `signed` of a file of targets. */
export function* scanSigned(bytes: Uint8Array, visit: Visit): Work<SignedText | undefined> {
  return yield* scan(new Cursor(bytes), visit);
}

function* scan(cursor: Cursor, visit: Visit): Work<SignedText | undefined> {
  if (!cursor.take('{"_type":"Targets","delegations":')) return undefined;
  const delegations = takeCanonical(cursor);
  if (!delegations || !cursor.take(',"expires":')) return undefined;
  const expires = takeCanonical(cursor);
  if (!expires || !cursor.take(',"targets":')) return undefined;
  const isNull = cursor.take('null');
  if (!isNull && !cursor.take('{')) return undefined;
  if (!isNull && !(yield* scanEntries(cursor, visit))) return undefined;
  const entriesEnd = cursor.offset;
  if (!isNull && !cursor.take('}')) return undefined;
  if (!cursor.take(',"version":')) return undefined;
  const version = takeCanonical(cursor);
  if (!version || !cursor.take('}')) return undefined;
  return {
    delegations: delegations.value,
    expires: expires.value,
    version: version.value,
    entriesEnd,
  };
}

/** Reads up to the brace after the last entry. */
function* scanEntries(cursor: Cursor, visit: Visit): Work<boolean> {
  if (cursor.isAt('}')) return true;
  let last: string | undefined;
  for (let windows = cursor.windows; ;) {
    const entry = takeEntry(cursor);
    if (!entry || (last !== undefined && entry.key <= last)) return false;
    last = entry.key;
    visit(entry);
    if (cursor.isAt('}')) return true;
    if (!cursor.take(',')) return false;
    if (windows === cursor.windows) continue;
    windows = cursor.windows;
    yield;
  }
}

function takeEntry(cursor: Cursor): EntryText | undefined {
  const start = cursor.offset;
  const plain = cursor.match(PLAIN_ENTRY);
  if (plain) {
    const [, key = '', sha256 = '', sha512, length] = plain;
    const hashes = { sha256, ...(sha512 !== undefined && { sha512 }) };
    const meta = () => ({ hashes, length: Number(length) });
    return { key, start, end: cursor.offset, meta, isPlain: true };
  }
  const name = cursor.isAt('"') ? takeCanonical(cursor) : undefined;
  if (typeof name?.value !== 'string' || !cursor.take(':')) return undefined;
  const meta = takeCanonical(cursor);
  if (!meta) return undefined;
  const key = Buffer.from(name.value).toString('latin1');
  return { key, start, end: cursor.offset, meta: () => meta.value, isPlain: false };
}

/** A value in canonical form, which the wire form of it is as well. */
function takeCanonical(cursor: Cursor): { readonly value: Json } | undefined {
  const text = cursor.takeValue();
  const parsed = text === undefined ? undefined : parse(text);
  if (!parsed) return undefined;
  try {
    return canonicalJson(parsed.value) === parsed.text ? parsed : undefined;
  } catch (error) {
    if (error instanceof NotCanonicalError) return undefined;
    throw error;
  }
}

/** @param bytes UTF-8, a character a byte */
function parse(bytes: string): { readonly value: Json; readonly text: string } | undefined {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const text = decoder.decode(Buffer.from(bytes, 'latin1'));
    return { value: JSON.parse(text) as Json, text };
  } catch {
    return undefined;
  }
}

const WINDOW_BYTES = 64 * 1024;

/** A place in a long text, of which only a window is a string at any time: a character a byte. */
class Cursor {
  /** How many windows there were. */
  windows = 0;
  readonly #bytes: Buffer;
  #windowStart = 0;
  #window = '';
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#look(WINDOW_BYTES);
  }

  /** In bytes from the beginning. */
  get offset(): number {
    return this.#windowStart + this.#at;
  }

  get isAtEnd(): boolean {
    return this.offset >= this.#bytes.length;
  }

  isAt(literal: string): boolean {
    if (this.#at + literal.length > this.#window.length) this.#look(WINDOW_BYTES);
    return this.#window.startsWith(literal, this.#at);
  }

  /** Goes on behind a literal; false where something else stands. */
  take(literal: string): boolean {
    if (!this.isAt(literal)) return false;
    this.#at += literal.length;
    return true;
  }

  /** Goes on behind what a sticky pattern matches: it ends in what cannot be part of something longer. */
  match(pattern: RegExp): RegExpExecArray | null {
    const matched = this.#matchHere(pattern);
    if (matched || this.#isLast || this.#at === 0) return matched;
    this.#look(WINDOW_BYTES);
    return this.#matchHere(pattern);
  }

  /** Goes on behind a JSON value; undefined where none ends, or only one that is too large. */
  takeValue(): string | undefined {
    for (let size = WINDOW_BYTES; ; size *= 2) {
      const end = valueEnd(this.#window, this.#at);
      if (end !== undefined) {
        const text = this.#window.slice(this.#at, end);
        this.#at = end;
        return text;
      }
      if (this.#isLast || size > LARGEST_PARSED) return undefined;
      this.#look(size);
    }
  }

  /** Whether the window holds all that is left. */
  get #isLast(): boolean {
    return this.#windowStart + this.#window.length >= this.#bytes.length;
  }

  #matchHere(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const matched = pattern.exec(this.#window);
    if (matched) this.#at = pattern.lastIndex;
    return matched;
  }

  #look(size: number): void {
    this.#windowStart = this.offset;
    this.#window = this.#bytes.toString('latin1', this.#windowStart, this.#windowStart + size);
    this.#at = 0;
    this.windows += 1;
  }
}

const STRUCTURE = /["[\]{},]/g;

/** Where the JSON value ends that begins here; undefined where the text ends before. */
function valueEnd(text: string, from: number): number | undefined {
  let depth = 0;
  for (let at = from; ;) {
    STRUCTURE.lastIndex = at;
    const found = STRUCTURE.exec(text);
    if (!found) return undefined;
    at = found.index + 1;
    const [character] = found;
    if (character === '"') {
      const end = stringEnd(text, at);
      if (end === undefined || depth === 0) return end;
      at = end;
    } else if (character === '{' || character === '[') {
      depth += 1;
    } else {
      // A number or a word ends before what follows it.
      if (depth === 0) return found.index;
      if (character !== ',') depth -= 1;
      if (depth === 0) return at;
    }
  }
}

/** Where a string ends of which the first character is here: behind its quote. */
function stringEnd(text: string, from: number): number | undefined {
  for (let at = from; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return undefined;
    let escapes = quote;
    while (text[escapes - 1] === '\\') escapes -= 1;
    at = quote + 1;
    if ((quote - escapes) % 2 === 0) return at;
  }
}
