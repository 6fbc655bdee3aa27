import type { Gun } from '../../shared/image-reference.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import { command } from '../../shared/shell-command.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { SNAPSHOT, TIMESTAMP, type RoleName, type Root } from '../tuf/metadata.ts';
import { pointedTo } from '../http/http-client.ts';
import { transienceOf } from '../http/retry-after.ts';
import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';

export interface RefusedPublish {
  readonly url: NotaryUrl;
  readonly gun: Gun;
  /** The root that the publish was made from: it tells which of its keys the server lacks. */
  readonly root: Root;
  readonly size: number;
}

export function publishFailure(refused: RefusedPublish, answer: HttpResponse): SigningError {
  const { url, gun, root } = refused;
  const { status } = answer;
  const said = serverAnswer(answer);
  const where = `${url} did not take the metadata of ${gun}`;
  const message = `${where} (HTTP ${status}${said ? `, ${said.text}` : ''})`;
  const rotate = {
    fix: `Run ${command`notary -s ${url} key rotate ${gun} snapshot -r`}, then build again.`,
  };
  if (said?.missing === 'snapshot') {
    return new SigningError('SNAPSHOT_KEY_NOT_ON_SERVER', message, rotate);
  }
  switch (said?.code) {
    case 'VERSION':
      return new SigningError('PUBLISH_CONFLICT', message);
    case 'UPDATING':
      // A database says so after a conflict, and to everybody when it cannot store anything.
      return new SigningError('PUBLISH_CONFLICT', message, { isTransient: status >= 500 });
    case 'INVALID_ROLE':
      return new SigningError('DELEGATIONS_REFUSED', message);
    case 'INVALID_GUN':
      return new SigningError('REPOSITORY_NOT_ALLOWED', message);
    default:
      break;
  }
  const transience = transienceOf(answer);
  if (transience.isTransient) return new SigningError('SERVER_FAILED', message, transience);

  // notary-server passes on what its notary-signer said, as text alone.
  const words = said?.text ?? '';
  if (/code = (?:Unavailable|DeadlineExceeded)/.test(words)) {
    return new SigningError('SERVER_FAILED', message, {
      isTransient: true,
      fix: 'notary-server cannot reach its notary-signer: see that it runs; then build again.',
    });
  }
  if (/code = NotFound/.test(words)) {
    const isOf = (role: RoleName) =>
      root.roles.get(role)?.keyIds.some((keyId) => words.includes(keyId)) ?? false;
    return isOf(TIMESTAMP) && !isOf(SNAPSHOT)
      ? new SigningError('SERVER_KEY_LOST', message)
      : new SigningError('SNAPSHOT_KEY_NOT_ON_SERVER', message, rotate);
  }
  return new SigningError('PUBLISH_REJECTED', message + pointedTo(answer), {
    fix: fixOfStatus(refused, status),
  });
}

/**
 * What to do about statuses that a Notary server itself never answers: something before it refuses.
 * Undefined for all others.
 */
function fixOfStatus({ url, size }: RefusedPublish, status: number): string | undefined {
  switch (status) {
    case 403:
      return `Let the account publish at ${url}; or let the firewall before it pass a POST of multipart/form-data to /v2/…/_trust/tuf/.`;
    case 404:
    case 405:
      return `Let what stands before ${url} pass POST as well as GET.`;
    case 413:
      return `Let what stands before ${url} take bodies of ${size} bytes and more (nginx: client_max_body_size; ingress-nginx: the annotation nginx.ingress.kubernetes.io/proxy-body-size).`;
    default:
      return status >= 300 && status < 400
        ? `Let what stands before ${url} pass on a POST instead of redirecting it; or use the URL that it points to as the Notary URL.`
        : undefined;
  }
}
