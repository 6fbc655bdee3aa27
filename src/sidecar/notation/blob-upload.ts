import { sha256Hex } from '../../shared/sha256.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import { transienceOf } from '../http/retry-after.ts';
import type { RegistryConnection } from '../image/registry-connection.ts';
import { pushOf, registryRefusal } from '../image/registry-failure.ts';
import { uploadUrl } from './upload-location.ts';

/**
 * Pushes a blob, unless the registry has it. One that is new is not asked for. It is tried once: the registry collects an upload that was
 * opened and not closed.
 *
 * @param http for an upload at another host, which sees no authorization
 * @throws SigningError PUSH_DENIED, CREDENTIALS_*, SERVER_*, DEADLINE_EXCEEDED
 */
export async function uploadBlob(
  registry: RegistryConnection,
  http: HttpClient,
  bytes: Uint8Array,
  isNew: boolean,
): Promise<void> {
  const { repository } = registry;
  const digest = `sha256:${sha256Hex(bytes)}`;
  const task = pushOf(`the blob ${digest} of ${repository.registry}/${repository.name}`);
  const refused = (answer: HttpResponse) => registryRefusal(repository, task, answer);

  if (!isNew) {
    const head = await registry.send({ method: 'HEAD', path: `blobs/${digest}`, task });
    if (head.status === 200) return;
    // A registry redirects to where the blob would be, or is: sending it again costs less than asking.
    if (head.status !== 404 && (head.status < 300 || head.status >= 400)) throw refused(head);
  }

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
    const stored = await http.send({ ...put, url });
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
