import { SIGNER_ERRORS, type SignerErrorCode } from './error-code.ts';
import { cutText } from './shell-command.ts';

interface SigningErrorOptions {
  /** A more precise fix than the one in the table of codes. */
  readonly fix?: string | undefined;
  readonly cause?: unknown;
  /** Whether a retry may succeed, as after a restart of the server or a broken connection. */
  readonly isTransient?: boolean;
  /** How long the server asks to wait before a retry; undefined if it does not say. */
  readonly retryAfterMs?: number;
}

/** Messages are truncated, because servers and libraries may send long texts. */
const LONGEST_MESSAGE = 2000;

/** Why the signer did not sign. Callers branch on `code`, never on text. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
  readonly code: SignerErrorCode;
  readonly fix: string;
  readonly isTransient: boolean;
  /** The least time to wait before a retry, in milliseconds. */
  readonly retryAfterMs: number;

  /**
   * @param message what was tried, where, and why it failed; no secrets. It is put on one line.
   */
  constructor(code: SignerErrorCode, message: string, options: SigningErrorOptions = {}) {
    super(oneLine(message).slice(0, LONGEST_MESSAGE), { cause: options.cause });
    this.code = code;
    this.fix = withLastStep(
      cutText(oneLine(options.fix ?? SIGNER_ERRORS[code].fix), LONGEST_MESSAGE),
    );
    this.isTransient = options.isTransient ?? false;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/**
 * Appends the last step, "build again", to a fix. kpack makes no new build when a Secret or an
 * annotation changes. docs/how-to/troubleshooting.md says how to start one.
 */
export function withLastStep(fix: string): string {
  if (/\bbuild again\b/i.test(fix)) return fix;
  return `${fix}${/[.…]$/.test(fix) ? '' : '.'} Then build again.`;
}

/**
 * Converts any error to a SigningError. An error of another class is a bug. Its message may hold
 * secrets, so only its name and place are reported.
 */
export function asSigningError(error: unknown): SigningError {
  if (error instanceof SigningError) return error;
  const { name, stack = '' } = error as Error;
  const place = /\n\s+at (.*)/.exec(stack)?.[1] ?? 'an unknown place';
  return new SigningError('INTERNAL', `${name} at ${place}`, { cause: error });
}

/** Puts a text on one line, without control characters. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}
