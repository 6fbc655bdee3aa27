import { hostOf } from './notary-url.ts';

/** Docker Hub, as people name it. */
export const DOCKER_HUB = 'docker.io';
const HUB_HOSTS = new Set([DOCKER_HUB, 'index.docker.io', 'registry-1.docker.io']);

/**
 * The registry of what people write for one: `host`, `host:port`, or a URL, with a path or without.
 * Docker Hub has several names, and is `docker.io`; 443 goes without saying.
 */
export function registryHost(text: string): string | undefined {
  const host = hostOf(text);
  return host !== undefined && HUB_HOSTS.has(host) ? DOCKER_HUB : host;
}
