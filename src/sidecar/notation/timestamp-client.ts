import { randomBytes } from 'node:crypto';
import type { TimestampUrl } from '../../shared/timestamp-url.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { HttpClient } from '../http/http-client.ts';
import { createRetries, retry, type Pause } from '../http/retry.ts';
import { transienceOf } from '../http/retry-after.ts';
import type { Log } from '../io/log.ts';
import type { SignatureEnvelope } from './envelope-reader.ts';
import {
  readTimestampReply,
  timestampRequest,
  verifyTimestamp,
  type Stamped,
  type Timestamp,
} from './timestamp.ts';

/** Asks a timestamp server, and judges timestamps, as verifiers with its root certificate do. */
export interface TimestampClient {
  /**
   * The token for a signature, verified.
   *
   * @throws SigningError TIMESTAMP_FAILED, DEADLINE_EXCEEDED
   */
  stamp(stamped: Stamped): Promise<Uint8Array>;
  /** @throws SigningError TIMESTAMP_FAILED: it has none, or one that is not good */
  verify(envelope: SignatureEnvelope): Timestamp;
}

export interface TimestampClientOptions {
  readonly url: TimestampUrl;
  /** Root certificates of its chain, PEM. */
  readonly roots: string;
  readonly http: HttpClient;
  readonly pause: Pause;
  readonly log: Log;
}

/** What notation's client reads at most. */
const LIMIT_BYTES = 1024 * 1024;
/** RFC 3161 says nothing of its length; tspclient-go takes as much. */
const NONCE_BYTES = 20;

/** A client of a timestamp server (RFC 3161 3.4). It gets no credentials. */
export function createTimestampClient(options: TimestampClientOptions): TimestampClient {
  const { url, roots, http, pause, log } = options;

  const ask = async (stamped: Stamped): Promise<Uint8Array> => {
    const nonce = randomBytes(NONCE_BYTES);
    const answer = await http
      .send({
        method: 'POST',
        url: new URL(url),
        headers: { 'content-type': 'application/timestamp-query' },
        body: [timestampRequest(stamped.signature, stamped.algorithm, nonce)],
        limit: LIMIT_BYTES,
      })
      .catch((error: unknown) => {
        if (!(error instanceof SigningError) || error.code === 'DEADLINE_EXCEEDED') throw error;
        const { message, isTransient } = error;
        throw new SigningError('TIMESTAMP_FAILED', message, { cause: error, isTransient });
      });
    if (answer.status !== 200) {
      const what = `${url} answered the request for a timestamp with HTTP ${answer.status}`;
      throw new SigningError('TIMESTAMP_FAILED', what, transienceOf(answer));
    }
    return readTimestampReply(answer.body, { ...stamped, nonce }, roots).token;
  };

  return {
    stamp: (stamped) =>
      retry(
        () => ask(stamped),
        createRetries(pause),
        ({ message }) => log.warn(`trying again: ${message}`),
      ),
    verify: ({ timestampToken, ...stamped }) => {
      if (timestampToken) return verifyTimestamp(timestampToken, stamped, roots);
      throw new SigningError('TIMESTAMP_FAILED', 'has no timestamp');
    },
  };
}
