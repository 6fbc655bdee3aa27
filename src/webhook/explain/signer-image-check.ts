import { parseSignerImage } from '../settings/signer-image.ts';

/** Whether an image can be found, as far as that can be told without credentials. */
export interface ImageCheck {
  readonly state: 'found' | 'not found' | 'needs credentials' | 'not checked';
  /** Why; empty where the state says it all. */
  readonly detail: string;
}

const TIMEOUT_MS = 5_000;
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
/** Docker Hub serves its registry under another name. */
const REGISTRY: Readonly<Record<string, string>> = { 'docker.io': 'registry-1.docker.io' };

/**
 * Asks the registry for the manifest of an image, over https and without credentials: a node may
 * have some, so that "needs credentials" is no fault.
 *
 * @param image a reference that parses
 */
export async function checkSignerImage(image: string): Promise<ImageCheck> {
  const { gun, tag, digest } = parseSignerImage(image);
  const slash = gun.indexOf('/');
  const [host, repository] = [gun.slice(0, slash), gun.slice(slash + 1)];
  const url = `https://${REGISTRY[host] ?? host}/v2/${repository}/manifests/${digest ?? tag}`;
  try {
    const first = await head(url);
    if (first.status !== 401) return stateOf(first.status);
    const token = await anonymousToken(first.headers.get('www-authenticate') ?? '', repository);
    if (token === undefined) return { state: 'needs credentials', detail: '' };
    return stateOf((await head(url, token)).status);
  } catch (error) {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    return { state: 'not checked', detail: `${host} cannot be asked: ${why}` };
  }
}

function head(url: string, token?: string): Promise<Response> {
  return fetch(url, {
    method: 'HEAD',
    headers: { accept: ACCEPT, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

/** A token for everybody, where the registry's token server gives one. */
async function anonymousToken(challenge: string, repository: string): Promise<string | undefined> {
  const parameter = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];
  const realm = parameter('realm');
  if (!/^Bearer /i.test(challenge) || realm === undefined || !realm.startsWith('https://')) {
    return undefined;
  }
  const url = new URL(realm);
  const service = parameter('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!answer.ok) return undefined;
  const body = (await answer.json()) as {
    readonly token?: unknown;
    readonly access_token?: unknown;
  } | null;
  const token = body?.token ?? body?.access_token;
  return typeof token === 'string' ? token : undefined;
}

function stateOf(status: number): ImageCheck {
  switch (status) {
    case 200:
      return { state: 'found', detail: '' };
    case 404:
      return { state: 'not found', detail: '' };
    // Registries that hide what is private answer so, too.
    case 401:
    case 403:
      return { state: 'needs credentials', detail: '' };
    default:
      return { state: 'not checked', detail: `the registry answered with HTTP ${status}` };
  }
}
