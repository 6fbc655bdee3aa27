import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { SigningError } from '../../shared/signing-error.ts';
import { OUT_OF_FILES_FIX, isOutOfFiles } from './out-of-files.ts';

/** Reports, keys and certificates are a few KiB; Secrets hold at most 1 MiB. */
const LIMIT_BYTES = 1024 * 1024;

/**
 * The text of a file; undefined when there is none.
 *
 * @throws SigningError FILE_UNREADABLE
 */
export async function readText(path: string): Promise<string | undefined> {
  const bytes = await readBytes(path);
  return bytes && decodeText(bytes);
}

/** Bytes as text: UTF-8, or UTF-16 as Windows writes it; a byte order mark is no part of it. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

function encodingOf([first = 0xff, second = 0xff]: Uint8Array): string {
  const isMarked = (a: number, b: number) => first === a && second === b;
  // What people write begins with ASCII, of which UTF-16 has one octet that is zero.
  if (isMarked(0xff, 0xfe) || (second === 0 && first !== 0)) return 'utf-16le';
  if (isMarked(0xfe, 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return 'utf-8';
}

/**
 * The content of a file; undefined when there is none. Other containers write some of these files: a
 * pipe would be waited for without end, a device or a huge file be read without end.
 *
 * @throws SigningError FILE_UNREADABLE
 */
export async function readBytes(path: string): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: unknown) => {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw unreadable(path, cause);
    },
  );
  if (!file) return undefined;
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new SigningError('FILE_UNREADABLE', `${path} is not a file`);
    if (status.size > LIMIT_BYTES) {
      throw new SigningError('FILE_UNREADABLE', `${path} is larger than ${LIMIT_BYTES} bytes`);
    }
    return await file.readFile();
  } catch (cause) {
    throw cause instanceof SigningError ? cause : unreadable(path, cause);
  } finally {
    await file.close();
  }
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;

/**
 * Writes a file at once. A pipe that nobody reads is an error (ENXIO): opened in the usual way it
 * would stop the signer for ever, out of reach of every signal.
 */
export function writeText(path: string, text: string): void {
  const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
  try {
    writeFileSync(file, text);
  } finally {
    closeSync(file);
  }
}

/** What the system says about a file that cannot be read. */
export function unreadable(path: string, cause: unknown): SigningError {
  const { code = 'unknown' } = cause as NodeJS.ErrnoException;
  return new SigningError('FILE_UNREADABLE', `${path} cannot be read (${code})`, {
    cause,
    fix: isOutOfFiles(cause) ? OUT_OF_FILES_FIX : undefined,
  });
}
