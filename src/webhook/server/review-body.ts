import type { IncomingMessage } from 'node:http';
import type { WebhookErrorCode } from '../../shared/error-code.ts';
import { ByteBudget, type Share } from './byte-budget.ts';
import { exceededBound } from '../../shared/json-bounds.ts';
import { Pace } from './pace.ts';
import { type DenialStatus, type Verdict, deny } from '../policy/verdict.ts';

/** A review carries an object and its predecessor, each of up to 1.5 MiB, as text. */
const LONGEST_BODY = 8 * 1024 * 1024;
/**
 * Build pods as kpack makes them are far smaller. A body of this size takes at most 2 MiB when it is
 * parsed, whatever is in it.
 */
const SMALL_BODY = 64 * 1024;
/** The API server reads no JSON that is nested more deeply. */
const DEEPEST = 10_000;
/** Three times those of the largest objects that etcd stores; a part takes up to 100 bytes of memory. */
const MOST_PARTS = 1_000_000;
/** Small bodies that are being reviewed. At least this much is counted for each. */
const SMALL_BUDGET = { total: 8 * 1024 * 1024, mostWaiting: 256, revokeAfter: 1_000 };
const LEAST_COUNTED = 32 * 1024;
/** Other bodies that are being received or reviewed. */
const LARGE_BUDGET = { total: 16 * 1024 * 1024, mostWaiting: 64, revokeAfter: 1_000 };
/** The API server writes the uid at the beginning of a review. */
const UID = /"uid":"([0-9a-f-]{36})"/;
const UID_WITHIN = 512;

/** A body that was read. */
export interface HeldBody {
  readonly value: unknown;
  /** Resolves when the event loop has time for the next work on it: less of others comes first. */
  turn(): Promise<void>;
  /** Nobody looks at the value any more. */
  release(): void;
}

/** A body is not read, and why. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly httpStatus: number;
  readonly verdict: Verdict;
  /** Of the review, where it is known: then the answer reaches people. */
  readonly uid: string;

  constructor(
    httpStatus: number,
    message: string,
    code: WebhookErrorCode = 'REVIEW_INVALID',
    status: DenialStatus = 400,
    uid = '',
  ) {
    super(message);
    this.httpStatus = httpStatus;
    this.verdict = deny(status, code, message);
    this.uid = uid;
  }
}

/**
 * Reads the bodies of reviews within what one process may hold. Small ones are received first, and
 * wait for their share before they are parsed; others wait before they are received. So those whose
 * bytes never come keep nobody waiting.
 */
export class BodyReader {
  readonly #small = new ByteBudget(SMALL_BUDGET);
  readonly #large = new ByteBudget(LARGE_BUDGET);
  readonly #pace = new Pace();

  /**
   * The JSON of a request; it has to be released.
   *
   * @param signal gives up; its reason is an Error
   * @throws BodyError
   */
  async read(request: IncomingMessage, signal: AbortSignal): Promise<HeldBody> {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      throw new BodyError(415, `the body is compressed (${encoding}), which is not read`);
    }
    const declared = request.headers['content-length'];
    // What does not say its length counts as the longest.
    const length = declared === undefined ? LONGEST_BODY : Number(declared);
    if (length > LONGEST_BODY) throw tooLarge(413, `the body is longer than ${LONGEST_BODY} bytes`);
    const { text, share } =
      length <= SMALL_BODY
        ? await this.#readSmall(request, length, signal)
        : await this.#readLarge(request, length, signal);
    try {
      const turn = () => this.#pace.enter(text.length);
      await turn();
      signal.throwIfAborted();
      return { value: parse(text), turn, release: () => share.release() };
    } catch (error) {
      share.release();
      throw error instanceof BodyError ? error : busy(error as Error);
    }
  }

  async #readSmall(request: IncomingMessage, length: number, signal: AbortSignal) {
    const text = await receive(request, length, signal);
    return { text, share: await taken(this.#small, Math.max(length, LEAST_COUNTED), signal) };
  }

  async #readLarge(request: IncomingMessage, length: number, signal: AbortSignal) {
    const share = await taken(this.#large, length, signal);
    try {
      return { text: await receive(request, length, signal, share.revoked), share };
    } catch (error) {
      share.release();
      throw error;
    }
  }
}

async function taken(budget: ByteBudget, bytes: number, signal: AbortSignal): Promise<Share> {
  try {
    return await budget.take(bytes, signal);
  } catch (error) {
    throw busy(error as Error);
  }
}

/** All bytes of a body, of which there are at most so many. */
function receive(
  request: IncomingMessage,
  most: number,
  ...signals: readonly AbortSignal[]
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (error?: Error) => {
      request.off('data', take).off('end', finish).off('error', close).off('close', close);
      for (const signal of signals) signal.removeEventListener('abort', giveUp);
      if (error) reject(error);
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, length));
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > most) return end(tooLarge(413, `the body is longer than ${most} bytes`));
      chunks.push(chunk);
    };
    const finish = () => end();
    const close = () => end(new BodyError(400, 'the connection ended within the body'));
    const giveUp = () => {
      const reason: unknown = signals.find(({ aborted }) => aborted)?.reason;
      request.pause();
      end(busy(reason as Error));
    };
    if (signals.some(({ aborted }) => aborted)) return giveUp();
    for (const signal of signals) signal.addEventListener('abort', giveUp, { once: true });
    request.on('data', take).on('end', finish).on('error', close).on('close', close);
  });
}

function parse(text: Buffer): unknown {
  const exceeded =
    text.length > SMALL_BODY
      ? exceededBound(text, { depth: DEEPEST, parts: MOST_PARTS })
      : undefined;
  if (exceeded !== undefined) {
    const uid = UID.exec(text.toString('latin1', 0, UID_WITHIN))?.[1];
    throw tooLarge(422, TOO_MANY[exceeded], uid);
  }
  try {
    return JSON.parse(text.toString());
  } catch {
    throw new BodyError(400, 'the body is not JSON');
  }
}

const TOO_MANY = {
  depth: `it is nested more than ${DEEPEST} levels deep`,
  parts: `it has more than ${MOST_PARTS} members, items and objects`,
};

function tooLarge(httpStatus: number, reason: string, uid?: string): BodyError {
  return new BodyError(httpStatus, reason, 'REVIEW_TOO_LARGE', 422, uid);
}

function busy({ name, message }: Error): BodyError {
  const reason = name === 'BudgetError' ? `other reviews take all the memory: ${message}` : message;
  return new BodyError(503, reason, 'WEBHOOK_BUSY', 503);
}
