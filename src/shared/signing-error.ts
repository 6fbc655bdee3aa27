import { SIGNER_ERRORS, type SignerErrorCode } from './error-code.ts';
import { cutText } from './shell-command.ts';

interface SigningErrorOptions {
  /** What to do, where that can be said better than in the table of codes. */
  readonly fix?: string | undefined;
  readonly cause?: unknown;
  /** Whether the same may succeed a little later: a server that restarts, a connection that broke. */
  readonly isTransient?: boolean;
  /** For how many milliseconds the server asks not to be asked again; none where it does not say. */
  readonly retryAfterMs?: number;
}

/** What others say, servers and libraries, may be long, and is cut. */
const LONGEST_MESSAGE = 2000;

/** Why something was not signed. Callers branch on `code`, never on text. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
  readonly code: SignerErrorCode;
  readonly fix: string;
  readonly isTransient: boolean;
  /** Milliseconds to wait at least before another try. */
  readonly retryAfterMs: number;

  /**
   * @param code one of the closed set
   * @param message what was tried, where, and why it failed; no secrets. It becomes one line.
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
 * A fix with the step that ends each: kpack builds again neither when a Secret nor when an annotation
 * changes. How, docs/how-to/troubleshooting.md says.
 */
export function withLastStep(fix: string): string {
  if (/\bbuild again\b/i.test(fix)) return fix;
  return `${fix}${/[.…]$/.test(fix) ? '' : '.'} Then build again.`;
}

/**
 * An error as one of ours. What is no SigningError is a mistake of ours; its message may hold
 * anything, so only its name and place are told.
 */
export function asSigningError(error: unknown): SigningError {
  if (error instanceof SigningError) return error;
  const { name, stack = '' } = error as Error;
  const place = /\n\s+at (.*)/.exec(stack)?.[1] ?? 'an unknown place';
  return new SigningError('INTERNAL', `${name} at ${place}`, { cause: error });
}

/** A text in which nothing can pass for another line, or move the cursor of a terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}
