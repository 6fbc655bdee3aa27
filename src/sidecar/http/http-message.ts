import type { Authorization } from './authorization.ts';
import type { SigningError } from '../../shared/signing-error.ts';
import type { IncomingMessage } from 'node:http';

/** Headers that every server may see: an {@link Authorization} has a place of its own. */
export type RequestHeaders = Readonly<Record<string, string>> & {
  readonly authorization?: never;
  readonly Authorization?: never;
};

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: RequestHeaders;
  /** Sent to the server that it is for alone, wherever redirects lead. */
  readonly authorization?: Authorization;
  /** Sent one part after the other. */
  readonly body?: readonly Uint8Array[];
  /**
   * Longest answer in bytes; 64 KiB where nothing else is said. Of an answer that is an error 64 KiB
   * are read, whatever its length.
   */
  readonly limit?: number;
  /**
   * Hears how many bytes more of an answer are to be held, before they are, and how many that makes in
   * all; throws to refuse them. Not asked for the first MiB.
   */
  readonly admit?: (bytes: number, all: number) => void;
  /** What is wrong with an answer that exceeds the limit; SERVER_FAILED by default. */
  readonly tooLong?: () => SigningError;
  /**
   * Whether a redirect is an answer like any other (the default), or followed: of {@link isRead}
   * alone, a few times, and never from https to http.
   */
  readonly redirects?: 'answer' | 'follow';
}

/** Whether a request changes nothing at the server (RFC 9110 9.2.1), so that it may be sent again. */
export function isRead({ method }: Pick<HttpRequest, 'method'>): boolean {
  return method === 'GET' || method === 'HEAD';
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
  /** Who answered: the URL asked for, or where redirects led. */
  readonly url: URL;
}
