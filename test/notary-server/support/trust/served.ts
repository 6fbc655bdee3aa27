/** Built repositories as a Notary server serves them: readers alone are answered. */
import { createHash } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { BuiltRepository } from '../../../support/trust/repository.ts';

/** Answers for these repositories; everything else is unknown. */
export function serveRepositories(repositories: readonly BuiltRepository[]): RequestListener {
  const files = new Map<string, Buffer>();
  for (const { gun, files: roles } of repositories) {
    for (const [role, bytes] of roles) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      files.set(`/v2/${gun}/_trust/tuf/${role}.json`, bytes);
      files.set(`/v2/${gun}/_trust/tuf/${role}.${sha256}.json`, bytes);
    }
  }
  return ({ url = '' }, response) => {
    const bytes = url === '/v2/' ? '{}' : files.get(url);
    if (bytes === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"METADATA_NOT_FOUND","message":"not found"}]}\n');
    } else {
      response.end(bytes);
    }
  };
}
