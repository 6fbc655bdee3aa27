import type { Gun } from '../shared/image-reference.ts';
import type { V2Settings } from '../shared/signer-flags.ts';
import type { V2Receipt } from '../shared/receipt.ts';
import { ANNOTATION } from '../shared/names.ts';
import { SigningError } from '../shared/signing-error.ts';
import type { RepositoryPlan } from './image/signing-plan.ts';
import { readCaFile } from './keys/secret-directory.ts';
import { envelopeSigner } from './notation/envelope-signer.ts';
import { readNotationSecret } from './notation/notation-secret.ts';
import { signImage } from './notation/sign-image.ts';
import { createSignatureRegistry } from './notation/signature-registry.ts';
import { createTimestampClient } from './notation/timestamp-client.ts';
import type { RunContext } from './run-context.ts';

/** Signs the image of one repository at its registry; throws SigningError as {@link signImage}. */
export type V2Signing = (gun: Gun) => Promise<V2Receipt>;

/** Signatures without a timestamp that end before that are worth a warning. */
const SOON_MS = 365 * 24 * 3600 * 1000;

/**
 * Opens the key and certificate chain for Notary Project signatures, and asks the registry for the
 * image in every repository.
 *
 * @throws SigningError CERTIFICATE_*, KEY_*, CA_INVALID, FILE_UNREADABLE, and as the look-up of an
 * image: nothing can be signed with them
 */
export async function prepareV2(
  { keyDirectory, timestamp, expiry }: V2Settings,
  plan: readonly RepositoryPlan[],
  context: RunContext,
): Promise<V2Signing> {
  const { log, now, pause, steps, environmentRoots, openClient, dryRun } = context;
  const open = async () =>
    steps.drive(envelopeSigner(await readNotationSecret(keyDirectory), now()));
  // The kubelet may replace both files between two reads.
  const openAgain = (error: unknown) => {
    if (error instanceof SigningError && error.code === 'KEY_MISMATCH') return open();
    throw error;
  };
  const images = plan.map(async ({ gun, targets }) => {
    const [{ sha256, length } = { sha256: '', length: undefined }] = targets;
    const registry = createSignatureRegistry(gun, context.registryAccess);
    const listing = registry.list({ digest: `sha256:${sha256}` });
    // That the image is gone says more than what became of its list.
    listing.catch(() => undefined);
    const subject = await registry.describe(sha256, length);
    return { gun, registry, subject, before: await listing };
  });
  const [signer, roots, ...found] = await Promise.all([
    open().catch(openAgain),
    timestamp && readCaFile(timestamp.caFile),
    ...images,
  ]);
  const { notAfter, warnings } = signer.chain;
  for (const warning of warnings) log.warn(warning);
  if (!timestamp && notAfter.getTime() - now().getTime() < SOON_MS) {
    log.warn(
      `Notary Project signatures end with the first certificate of their chain, on ${notAfter.toISOString()}, as no timestamp server is set: set ${ANNOTATION.timestampUrl}, or renew the certificate and build again before that day`,
    );
  }
  const timestamps =
    timestamp && roots !== undefined
      ? createTimestampClient({
          ...{ url: timestamp.url, roots, pause, log },
          http: openClient([roots, ...environmentRoots]),
        })
      : undefined;
  const settings = { signer, timestamps, expiry, now, pause, log, dryRun };
  const signings = new Map(found.map((image) => [image.gun, { ...image, ...settings }]));
  return (gun) => {
    const signing = signings.get(gun);
    if (!signing) throw new Error(`${gun} is not of this build`);
    return signImage(signing);
  };
}
