import { isLoopbackHost, type RegistryRepository } from '../auth/registry-host.ts';

/**
 * The URL that closes an upload (distribution-spec, "Pushing blobs"): the Location of the answer that
 * opened it, relative or not, with the digest added to its query, which may be signed.
 *
 * @param from the URL that was asked to open it
 * @returns undefined where there is none, or one to which nothing is sent: by plain http, but from a
 *   registry on this machine to this machine
 */
export function uploadUrl(
  location: string | undefined,
  from: URL,
  digest: string,
  { isLoopback }: RegistryRepository,
): URL | undefined {
  if (location === undefined || !URL.canParse(location, from.href)) return undefined;
  const url = new URL(location, from);
  // Behind a proxy that ends TLS, a registry may take itself for plain http.
  if (url.host === from.host && url.protocol === 'http:') url.protocol = from.protocol;
  const isLocal = isLoopback && isLoopbackHost(url.host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) return undefined;
  // Node would make an Authorization header of them.
  url.username = '';
  url.password = '';
  url.hash = '';
  url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
  return url;
}
