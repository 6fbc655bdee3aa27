import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { readDescriptor, type Descriptor } from './descriptor.ts';
import { INDEX_TYPE, readImageIndex } from './image-index.ts';

/** A part of what the referrers API lists. */
export interface ReferrersPage {
  /** As many as can be read, of any artifact type. */
  readonly referrers: readonly Descriptor[];
  /** The query that asks for the next page; undefined: this is the last. */
  readonly next: string | undefined;
}

/**
 * Whether an answer says that the registry has no referrers API, by the rules of oras-go, which
 * verifiers use: only then do they look at the tag. For a digest that has no referrers, or is unknown,
 * the API answers with an empty list (distribution-spec, "Listing Referrers").
 */
export function isWithoutReferrers(answer: HttpResponse): boolean {
  if (answer.status === 404) return serverAnswer(answer)?.code !== 'NAME_UNKNOWN';
  return answer.status === 200 && answer.headers['content-type'] !== INDEX_TYPE;
}

/**
 * Reads a page that was answered with 200.
 *
 * @param asked the URL of the list, of which each page differs in the query alone
 * @returns why it cannot be read, for people, where it cannot
 */
export function readReferrersPage(
  { headers, body, url }: HttpResponse,
  asked: URL,
): ReferrersPage | string {
  const type = headers['content-type'];
  if (type !== INDEX_TYPE) return 'it has another media type than the page before';
  const index = readImageIndex(body);
  if (!index) return `it is no image index, and has the media type of one (${type})`;
  const referrers = index.entries.flatMap((entry) => readDescriptor(entry) ?? []);
  const link = nextLink([headers.link ?? []].flat().join(', '));
  if (link === undefined) return { referrers, next: undefined };
  const next = URL.canParse(link, url.href) ? new URL(link, url) : undefined;
  // Behind a proxy that ends TLS, a registry may take itself for plain http.
  if (next?.host !== asked.host || next.pathname !== asked.pathname) {
    return 'its next page is said to be somewhere else';
  }
  return { referrers, next: next.search };
}

/** The target of the link with the relation `next` (RFC 8288 3). */
export function nextLink(header: string): string | undefined {
  for (const [, target, parameters = ''] of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))/i.exec(parameters);
    const types = (relation?.[1] ?? relation?.[2] ?? '').toLowerCase().split(/\s+/);
    if (types.includes('next')) return target;
  }
  return undefined;
}
