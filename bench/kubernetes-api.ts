/**
 * The Kubernetes API, as far as the webhook reads it: single objects, and of Secrets the metadata
 * alone. The third argument is a file with the objects, as a JSON list. `/reads` tells how many
 * objects were asked for.
 */
import { readFileSync } from 'node:fs';
import type { Manifest } from '../test/support/build-fixture.ts';
import { serve } from './loopback-server.ts';

const NOT_FOUND = '{"kind":"Status","apiVersion":"v1","reason":"NotFound","code":404}';
const PARTIAL = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata' };

const manifests = JSON.parse(readFileSync(process.argv[4] ?? '', 'utf8')) as Manifest[];
const objects = new Map(
  manifests.map((manifest) => {
    const isSecret = manifest.kind === 'Secret';
    const served = isSecret ? { ...PARTIAL, metadata: manifest.metadata } : manifest;
    return [pathOf(manifest), JSON.stringify(served)];
  }),
);

let reads = 0;
serve((request, response) => {
  if (request.url === '/reads') return void response.end(String(reads));
  reads += 1;
  const body = objects.get(request.url ?? '');
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(body ?? NOT_FOUND);
});

function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { namespace, name } = metadata;
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${root}${scope}/${kind.toLowerCase()}s/${name}`;
}
