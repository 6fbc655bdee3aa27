import { sha256Hex } from '../../shared/sha256.ts';
import { asSigningError, SigningError } from '../../shared/signing-error.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import { transienceOf } from '../http/retry-after.ts';
import type { RegistryConnection } from '../image/registry-connection.ts';
import { lookUpOf, pushOf, registryFailure, registryRefusal } from '../image/registry-failure.ts';
import { uploadUrl } from './upload-location.ts';

/** @throws SigningError CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED */
export async function hasBlob(registry: RegistryConnection, bytes: Uint8Array): Promise<boolean> {
  const task = lookUpOf(blobName(registry, bytes));
  const path = `blobs/sha256:${sha256Hex(bytes)}`;
  const answer = await registry.send({ method: 'HEAD', path, task });
  const { status } = answer;
  // A registry redirects to where the blob would be, or is: sending it again costs less than asking.
  if (status === 200 || status === 404 || (status >= 300 && status < 400)) return status === 200;
  throw registryRefusal(registry.repository, task, answer);
}

/**
 * Pushes a blob. It is tried once: the registry collects an upload that was opened and not closed.
 *
 * @param http for an upload at another host, which sees no authorization
 * @throws SigningError PUSH_DENIED, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED
 */
export async function uploadBlob(
  registry: RegistryConnection,
  http: HttpClient,
  bytes: Uint8Array,
): Promise<void> {
  const { repository } = registry;
  const digest = `sha256:${sha256Hex(bytes)}`;
  const task = pushOf(blobName(registry, bytes));
  const refused = (answer: HttpResponse) => registryRefusal(repository, task, answer);

  const opened = await registry.send({ method: 'POST', path: 'blobs/uploads/', body: [], task });
  if (opened.status !== 202) throw refused(opened);
  const url = uploadUrl(opened.headers.location, opened.url, digest, repository);
  if (!url) {
    const what = `${repository.host} names no https URL to which ${task.object} could be pushed`;
    throw new SigningError('SERVER_FAILED', what, {
      fix: 'Let the registry, and what stands before it, answer uploads with a Location of https.',
    });
  }
  const put = {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: [bytes],
  } as const satisfies Partial<HttpRequest>;
  if (url.origin !== opened.url.origin) {
    // A stranger sees no authorization.
    const stored = await http.send({ ...put, url }).catch((error: unknown) => {
      throw registryFailure(repository, task, asSigningError(error), []);
    });
    if (stored.status === 201) return;
    const what = `${url.host}, to which ${repository.host} sends uploads, answered HTTP ${stored.status} to ${task.object}`;
    throw new SigningError('SERVER_FAILED', what, {
      ...transienceOf(stored),
      fix: 'Let the registry take uploads itself, or let that host take them without credentials.',
    });
  }
  const closed = await registry.send({ ...put, path: url, task });
  if (closed.status === 404) {
    const what = `${repository.host} lost the upload of ${task.object} (HTTP 404)`;
    throw new SigningError('SERVER_FAILED', what, {
      isTransient: true,
      fix: 'Give all replicas of the registry one storage and one http.secret.',
    });
  }
  if (closed.status !== 201) throw refused(closed);
}

function blobName({ repository: { registry, name } }: RegistryConnection, bytes: Uint8Array) {
  return `the blob sha256:${sha256Hex(bytes)} of ${registry}/${name}`;
}
