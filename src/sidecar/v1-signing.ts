import type { V1Settings } from '../shared/signer-flags.ts';
import type { RepositoryReceipt } from '../shared/receipt.ts';
import { notaryCredentials } from './auth/credentials.ts';
import { notaryLookup } from './auth/registry-credentials.ts';
import type { RepositoryPlan } from './image/signing-plan.ts';
import { readCaFile, readSigningSecret } from './keys/secret-directory.ts';
import { openKeys } from './keys/signing-key.ts';
import { createNotaryClient } from './notary/notary-client.ts';
import { signRepository } from './notary/sign-repository.ts';
import type { RunContext } from './run-context.ts';

/** Signs one repository at the Notary server; as {@link signRepository}, it does not throw. */
export type V1Signing = (
  repository: RepositoryPlan,
  beforePublish: () => Promise<void>,
) => Promise<RepositoryReceipt>;

/**
 * Opens the keys for Notary v1.
 *
 * @throws SigningError KEY_*, CA_INVALID, FILE_UNREADABLE: nothing can be signed with them
 */
export async function prepareV1(
  { keyDirectory, caFiles, notaryUrl: url, notaryCredentials: mounted, rootPins }: V1Settings,
  context: RunContext,
): Promise<V1Signing> {
  const { steps, log, environmentRoots, openClient, registry, registryHttp, memory } = context;
  const secret = await readSigningSecret(keyDirectory);
  const { keys, unopened, misnamed } = await steps.drive(
    openKeys(secret.keyFiles, secret.password),
  );
  for (const { message } of unopened) log.warn(`not used: ${message}`);
  for (const warning of misnamed) log.warn(warning);
  log.step(`keys: ${keys.map(({ file, canonicalId }) => `${canonicalId} (${file})`).join(', ')}`);
  const given = await Promise.all(caFiles.map(readCaFile));
  const ca = [...(secret.ca === undefined ? [] : [secret.ca]), ...given, ...environmentRoots];
  const http = openClient(ca);
  const notary = notaryCredentials(mounted, log);
  const { dryRun, now, pause } = context;
  return (repository, beforePublish) => {
    const { gun } = repository;
    const credentials = notaryLookup({ url, gun, notary, registry, registryHttp });
    const client = createNotaryClient({
      ...{ http, url, gun, credentials, memory },
      drive: steps.drive,
    });
    return signRepository(repository, {
      ...{ url, client, keys, unopened, rootPins, dryRun, now, pause, steps, memory, log },
      beforePublish,
    });
  };
}
