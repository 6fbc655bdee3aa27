import { parseNotaryUrl, type UrlProblem } from './notary-url.ts';

/** Where a timestamp server takes requests (RFC 3161 3.4), as the user wrote it. */
export type TimestampUrl = string & { readonly brand: 'TimestampUrl' };

/**
 * Parses the URL of a timestamp server. The same rules hold as for a Notary server. Plain http is fine:
 * the timestamp is signed, and neither the request nor the answer is secret.
 */
export function parseTimestampUrl(text: string): TimestampUrl | UrlProblem {
  const url = parseNotaryUrl(text);
  if (typeof url === 'string') return text as TimestampUrl;
  return { ...url, expected: 'an http or https URL without credentials, query or fragment' };
}
