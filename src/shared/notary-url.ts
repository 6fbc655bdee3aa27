import { mayHoldCredentials, quote } from './shown-value.ts';

/** Base URL of a Notary server, without a trailing slash. */
export type NotaryUrl = string & { readonly brand: 'NotaryUrl' };

/** Why a text is not a Notary URL: what was found, and what is expected. */
export interface UrlProblem {
  readonly problem: string;
  readonly expected: string;
}

/** No server has a longer URL, and checking one would cost too much. */
const LONGEST_URL = 2048;
const EXPECTED = 'an https URL without credentials, query or fragment';

/** The parts of a URL as the user wrote it. Node's URL drops or rewrites some of them. */
interface WrittenUrl {
  readonly text: string;
  readonly authority: string;
  readonly host: string;
  /** What follows the colon; undefined if there is no colon. */
  readonly port: string | undefined;
  readonly path: string;
  readonly query: string | undefined;
  readonly fragment: string | undefined;
}

const FORM = /^https?:\/\/([^/\\?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/is;
const AUTHORITY = /^(?:.*@)?(\[[^\]]*\]?[^:]*|[^:]*)(?::(.*))?$/s;
const LABEL = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`, 'i');
const PORT = /^[1-9]\d{0,4}$/;
/** Matches a user and a password, with or without a scheme: a port would have only digits. */
const NO_PORT =
  /^(?:https?:|(?!https?:)(?:[a-z][a-z0-9+.-]*:(?=[/\\]))?)[/\\]*[^:/\\?#[]*:[^/\\?#]*[^\d:\s/\\?#]/i;
/** Printable characters that a path must encode, and the @, which can hide the real host. */
const TO_ENCODE = /["<>[\]^`{|}@]/;

type Rule = readonly [isBroken: (url: WrittenUrl) => boolean, what: string];

/** Parts that a Notary URL must not have. */
const EXTRAS: readonly Rule[] = [
  [({ authority }) => authority.includes('@'), 'holds credentials'],
  [({ query }) => query !== undefined, 'has a query'],
  [({ fragment }) => fragment !== undefined, 'has a fragment'],
];
/** Characters that Node or the kubelet would interpret. If one is there, FORM_RULES are skipped. */
const CONTENT: readonly Rule[] = [
  [({ text }) => /[\s\p{Cc}]/u.test(text), 'holds a space, tab or line break'],
  [
    ({ text }) => /[^\p{ASCII}]/u.test(text),
    'holds letters outside ASCII (a host has another name that begins with xn--)',
  ],
  [({ text }) => text.includes('%'), 'is percent-encoded'],
  [({ text }) => text.includes('\\'), 'holds a backslash'],
  // In container arguments, Kubernetes replaces $(NAME) by a variable and $$ by $.
  [({ text }) => /\$[$(]/.test(text), 'holds $( or $$, which Kubernetes replaces'],
];

const NO_HOST = 'has a host that is neither a name nor an address';
const FORM_RULES: readonly Rule[] = [
  [({ host }) => host === '', 'has no host'],
  [({ host }) => host !== '' && !isAddress(host) && !HOST_NAME.test(host), NO_HOST],
  [
    ({ port }) => port !== undefined && !(PORT.test(port) && Number(port) <= 65535),
    'has a port that is not 1 to 65535',
  ],
  [
    ({ path }) => path.split('/').some((step) => step === '.' || step === '..'),
    'has . or .. as a step of its path',
  ],
  [({ path }) => withoutEnd(path).includes('//'), 'has an empty step in its path'],
  [({ path }) => TO_ENCODE.test(path), 'has a character in its path that URLs must encode'],
];

/**
 * Parses the URL of a Notary server: http or https, a host, and optionally a port and a path. It must
 * have no credentials (they belong in a Secret), no query and no fragment. Node's URL must read it as
 * it is written, apart from case, the default port and trailing slashes. Messages do not repeat
 * anything that may be a secret.
 */
export function parseNotaryUrl(text: string): NotaryUrl | UrlProblem {
  if (text.length > LONGEST_URL) return problem(text, [`is longer than ${LONGEST_URL} characters`]);
  const written = readParts(text);
  if (!written) return problem(text, [whyNoScheme(text)]);
  const brokenOf = (rules: readonly Rule[]) =>
    rules.filter(([isBroken]) => isBroken(written)).map(([, what]) => what);
  const content = brokenOf(CONTENT);
  const broken = [...brokenOf(EXTRAS), ...(content.length > 0 ? content : brokenOf(FORM_RULES))];
  if (broken.length > 0) return problem(text, broken);
  const url = parseUrl(text);
  if (!url) return problem(text, [NO_HOST]);
  const { protocol, host, hostname } = url;
  // Node reads 127.1, 0x7f000001 and 2130706433 as 127.0.0.1.
  if (!isAddress(hostname) && hostname !== written.host.toLowerCase()) {
    return problem(text, [`has a host that is read as ${hostname}`]);
  }
  return `${protocol}//${host}${withoutEnd(written.path)}` as NotaryUrl;
}

function readParts(text: string): WrittenUrl | undefined {
  const [, authority, path = '', query, fragment] = FORM.exec(text) ?? [];
  if (authority === undefined) return undefined;
  const [, host = '', port] = AUTHORITY.exec(authority) ?? [];
  return { text, authority, host, port, path, query, fragment };
}

function whyNoScheme(text: string): string {
  if (/^\s/.test(text)) return 'begins with a space, tab or line break';
  if (/^https?:/i.test(text)) return 'lacks the two slashes after its scheme';
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? 'is neither https nor http' : 'has no scheme';
}

function isAddress(host: string): boolean {
  return host.startsWith('[');
}

function withoutEnd(path: string): string {
  return path.replace(/\/+$/, '');
}

/** Host and port of a server, without the default port of the scheme, as credentials name it. */
export function serverHost(url: NotaryUrl): string {
  // parseNotaryUrl took the host from Node's URL, which drops a default port.
  return url.split('/')[2] ?? '';
}

/** The host (and port) of a server that users write as `host`, `host:port` or a URL. */
export function hostOf(server: string): string | undefined {
  if (server.length > LONGEST_URL) return undefined;
  return parseUrl(/^[a-z]+:\/\//i.test(server) ? server : `https://${server}`)?.host;
}

/** Undefined if Node cannot parse it. Node 20 has no `URL.parse`; `canParse` would parse twice. */
function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

export function isPlainHttp(url: NotaryUrl): boolean {
  return url.startsWith('http:');
}

function problem(text: string, whats: readonly string[]): UrlProblem {
  const what = whats.join(' and ');
  return {
    problem: mayHoldPassword(text)
      ? `a URL that ${what}`
      : `${quote(text.split(/[?#]/)[0] ?? '')}, which ${what}`,
    expected: EXPECTED,
  };
}

/** Whether it holds credentials, or a password in place of the port because the host is missing. */
function mayHoldPassword(text: string): boolean {
  return mayHoldCredentials(text) || NO_PORT.test(text.trimStart());
}
