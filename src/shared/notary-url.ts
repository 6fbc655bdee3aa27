/** Base URL of a Notary server, without a trailing slash. */
export type NotaryUrl = string & { readonly brand: 'NotaryUrl' };

/** What makes a text no Notary URL: what was found, and what is expected. */
export interface UrlProblem {
  readonly problem: string;
  readonly expected: string;
}

/** Longer ones are no URLs of servers, and cost more than they are worth. */
const LONGEST_URL = 2048;
const EXPECTED = 'an https URL without credentials, query or fragment';

/**
 * Reads the URL of a Notary server: http or https, a host, at most a path. No credentials (they
 * belong into a Secret), no query, no fragment. What may be a secret is not repeated.
 */
export function parseNotaryUrl(text: string): NotaryUrl | UrlProblem {
  if (text.length > LONGEST_URL) {
    return problem('the URL', `is longer than ${LONGEST_URL} characters`);
  }
  const shown = text.includes('@') ? 'the URL' : JSON.stringify(text.split(/[?#]/)[0]);
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return problem(shown, 'has no scheme');
  if (!/^https?:/i.test(text)) return problem(shown, 'is neither https nor http');
  if (!URL.canParse(text) || /\s/.test(text)) return problem(shown, 'is not a URL');
  const url = new URL(text);
  if (url.username || url.password) return problem(shown, 'holds credentials');
  if (text.includes('?')) return problem(shown, 'has a query');
  if (text.includes('#')) return problem(shown, 'has a fragment');
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}` as NotaryUrl;
}

/** Host and port of a server, as credentials name it: the default port of the scheme dropped. */
export function serverHost(url: NotaryUrl): string {
  return new URL(url).host;
}

/** The host of what people write for a server: `host`, `host:port`, or a URL. */
export function hostOf(server: string): string | undefined {
  // Of much longer ones, `URL.canParse` of Node 24 promises what `new URL` does not keep.
  if (server.length > LONGEST_URL) return undefined;
  const url = /^[a-z]+:\/\//i.test(server) ? server : `https://${server}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}

/** Whether what is sent there can be read on the way. */
export function isPlainHttp(url: NotaryUrl): boolean {
  return url.startsWith('http:');
}

function problem(found: string, what: string): UrlProblem {
  return { problem: `${found} ${what}`, expected: EXPECTED };
}
