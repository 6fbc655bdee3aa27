import type { IncomingHttpHeaders } from 'node:http';

/**
 * Statuses below 500 of servers and proxies that are busy or early: a request that came too slowly
 * (RFC 9110 15.5.9), that may be replayed (RFC 8470 5.2), and one too many (RFC 6585 4).
 */
const BUSY: ReadonlySet<number> = new Set([408, 425, 429]);
/** delay-seconds (RFC 9110 10.2.3). */
const SECONDS = /^\d{1,15}$/;
/** The three forms of HTTP-date (RFC 9110 5.6.7): IMF-fixdate, RFC 850, and asctime without a zone. */
const ZONED_DATE = /^[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;
const ASCTIME_DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/**
 * Whether the same request may succeed a little later, by the answer that refuses it, and for how many
 * milliseconds the server asks not to be asked again (0 where it does not say). The one source of that
 * for the Notary server, the registry, token servers and proxies.
 *
 * @param now where the answer has no Date of its own
 */
export function transienceOf(
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders },
  now = Date.now(),
) {
  const { status, headers } = answer;
  const isTransient = status >= 500 || BUSY.has(status);
  return { isTransient, retryAfterMs: isTransient ? retryAfterMs(headers, now) : 0 };
}

function retryAfterMs(
  { 'retry-after': text = '', date }: IncomingHttpHeaders,
  now: number,
): number {
  const value = text.trim();
  if (SECONDS.test(value)) return Number(value) * 1000;
  const until = parseHttpDate(value);
  if (until === undefined) return 0;
  // The difference between two times of the server's own clock, however wrong that is.
  return Math.max(0, until - (parseHttpDate(date ?? '') ?? now));
}

function parseHttpDate(text: string): number | undefined {
  const zoned = ASCTIME_DATE.test(text) ? `${text} GMT` : text;
  const time = zoned !== text || ZONED_DATE.test(text) ? Date.parse(zoned) : NaN;
  return Number.isNaN(time) ? undefined : time;
}
