import { SIGNER_ERRORS, type SignerErrorCode } from '../../shared/error-code.ts';
import { SigningError, withLastStep } from '../../shared/signing-error.ts';
import type { RegistryRepository } from '../auth/registry-host.ts';
import { transienceOf } from '../http/retry-after.ts';
import { serverAnswer } from '../http/server-error.ts';
import type { HttpResponse } from '../http/http-message.ts';
import { pointedTo } from '../http/http-client.ts';

/** What a request is for. */
export interface RegistryTask {
  readonly kind: keyof typeof DONE;
  /** What is looked up or pushed, for people. */
  readonly object: string;
}

const DONE = { 'look-up': 'looked up', push: 'pushed' } as const;

export const lookUpOf = (object: string): RegistryTask => ({ kind: 'look-up', object });
export const pushOf = (object: string): RegistryTask => ({ kind: 'push', object });

/** What to do where the server that failed is a registry, not a Notary server. */
const FIX: Partial<Record<SignerErrorCode, (registry: string) => string>> = {
  SERVER_UNREACHABLE: (registry) =>
    `Check the name ${registry}, DNS, network policies, and that the registry runs.`,
  SERVER_UNTRUSTED: () =>
    'Give the signing container the CA of the registry, in the file that SSL_CERT_FILE names or the directory that SSL_CERT_DIR names.',
  SERVER_FAILED: () => 'Look at the log of the registry, then build again.',
  CREDENTIALS_MISSING: (registry) =>
    `Add a docker Secret for ${registry} to the service account of the build.`,
  CREDENTIALS_REFUSED: (registry) =>
    `Correct the docker Secret for ${registry} that the service account of the build names, or let its account pull from the repository, and push to it for Notary Project signatures.`,
  PUSH_DENIED: (registry) =>
    `Let the account of the docker Secret for ${registry} push to the repository: signatures are stored beside the image.`,
  CREDENTIALS_OVER_HTTP: () => 'Let the registry and its token realm speak https.',
  CREDENTIALS_INVALID: (registry) =>
    `Correct the docker Secret that the message names: it could have credentials for ${registry}.`,
};

/**
 * A request to which no answer came, as it concerns a registry.
 *
 * @param problems of Secrets that could have held the credentials
 */
export function registryFailure(
  repository: RegistryRepository,
  { kind, object }: RegistryTask,
  error: SigningError,
  problems: readonly string[],
): SigningError {
  if (error.code === 'DEADLINE_EXCEEDED') return error;
  const isUnread = error.code === 'CREDENTIALS_MISSING' && problems.length > 0;
  const code = isUnread ? 'CREDENTIALS_INVALID' : error.code;
  const isUsual = isUnread || error.fix === withLastStep(SIGNER_ERRORS[error.code].fix);
  const why = error.code.startsWith('CREDENTIALS_')
    ? [error.message, ...problems]
    : [error.message];
  return new SigningError(code, `${object} cannot be ${DONE[kind]}: ${why.join('; ')}`, {
    fix: isUsual ? FIX[code]?.(repository.registry) : error.fix,
    cause: error,
    isTransient: error.isTransient,
    retryAfterMs: error.retryAfterMs,
  });
}

/** What an answer means that is not the one that was wanted. */
export function registryRefusal(
  repository: RegistryRepository,
  { kind, object }: RegistryTask,
  answer: HttpResponse,
): SigningError {
  const { status } = answer;
  const said = serverAnswer(answer);
  const isRedirect = status >= 300 && status < 400;
  const what =
    `${repository.host} answered HTTP ${status} to the ${kind} of ` +
    `${object}${said ? ` (${said.text})` : ''}${isRedirect ? pointedTo(answer) : ''}`;
  if (status === 404 && kind === 'look-up') return new SigningError('MANIFEST_NOT_FOUND', what);
  if (status === 403) {
    const code = kind === 'push' ? 'PUSH_DENIED' : 'CREDENTIALS_REFUSED';
    return new SigningError(code, what, { fix: FIX[code]?.(repository.registry) });
  }
  const transience = transienceOf(answer);
  return new SigningError('SERVER_FAILED', what, {
    fix: transience.isTransient
      ? FIX.SERVER_FAILED?.(repository.registry)
      : kind === 'push'
        ? `Let ${repository.host} take manifests and blobs of OCI: it may be a mirror, or have a rule against it.`
        : `Check that ${repository.host} is a registry.`,
    ...transience,
  });
}
