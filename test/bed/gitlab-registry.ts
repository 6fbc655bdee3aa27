/**
 * A registry that answers like GitLab's: it resolves the tag `sha256-<hex>` to the image of that digest,
 * until somebody writes the tag.
 */
import type { Authority } from './authority.ts';
import { FORWARD, startProxy, type Proxy } from './proxy.ts';

/** A registry to start. */
export interface GitlabRegistryOptions {
  /** Issues its certificate. */
  readonly authority: Authority;
  /** Base URL of the real registry behind it. */
  readonly target: string;
}

const FALLBACK_TAG = /^(.*\/manifests\/sha256)-([0-9a-f]{64})$/;

/** Starts it on loopback, over TLS. */
export function startGitlabRegistry(options: GitlabRegistryOptions): Promise<Proxy> {
  const written = new Set<string>();
  return startProxy({
    ...options,
    rule: ({ method, path }) => {
      const [, before, hex] = FALLBACK_TAG.exec(path) ?? [];
      if (before === undefined || written.has(path)) return FORWARD;
      if (method === 'GET' || method === 'HEAD') {
        return { kind: 'forward', path: `${before}:${hex}` };
      }
      if (method === 'PUT') written.add(path);
      return FORWARD;
    },
  });
}
