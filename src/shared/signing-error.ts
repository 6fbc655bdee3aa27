import { SIGNER_ERRORS, type SignerErrorCode } from './error-code.ts';

interface SigningErrorOptions {
  /** What to do, where that can be said better than in the table of codes. */
  readonly fix?: string | undefined;
  readonly cause?: unknown;
}

/** Why something was not signed. Callers branch on `code`, never on text. */
export class SigningError extends Error {
  override readonly name = 'SigningError';
  readonly code: SignerErrorCode;
  readonly fix: string;

  /**
   * @param code one of the closed set
   * @param message what was tried, where, and why it failed; no secrets
   */
  constructor(code: SignerErrorCode, message: string, options: SigningErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.fix = options.fix ?? SIGNER_ERRORS[code].fix;
  }
}
