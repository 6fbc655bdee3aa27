import { formatTagReference, type Gun, type TagReference } from '../../shared/image-reference.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { Log } from '../io/log.ts';
import type { Manifest } from './manifest.ts';
import type { Pause } from '../http/retry.ts';
import { createRegistryClient, type RegistryClient } from './registry-client.ts';
import type { RegistryCredentials } from '../auth/registry-credentials.ts';
import { registryRepository } from '../auth/registry-host.ts';
import type { Tags } from './signing-plan.ts';

/** What a look-up needs. */
export interface LookupOptions {
  readonly http: HttpClient;
  readonly credentials: RegistryCredentials;
  readonly signal: AbortSignal;
  readonly pause: Pause;
  readonly log: Log;
}

/**
 * The size of a manifest whose digest is known. Every repository of the image has it: where one does
 * not tell, the next is asked.
 *
 * @throws SigningError as {@link RegistryClient.manifest}: that of the last, when all fail
 */
export async function lookUpSize(
  sha256: string,
  [tag, ...others]: Tags,
  options: LookupOptions,
): Promise<Manifest> {
  try {
    const manifest = await clientOf(tag.gun, options).manifest({ sha256 });
    options.log.step(`the registry says: ${tag.gun}@sha256:${sha256} has ${manifest.size} bytes`);
    return manifest;
  } catch (error) {
    const [next, ...rest] = others.filter(({ gun }) => gun !== tag.gun);
    if (!(error instanceof SigningError) || options.signal.aborted || !next) throw error;
    options.log.warn(`${error.message}; asking ${next.gun}`);
    return lookUpSize(sha256, [next, ...rest], options);
  }
}

/**
 * The manifest that all these tags name: a build pushes one image. A tag that names another has been
 * moved since, and what somebody else pushed is not signed.
 *
 * @throws SigningError TAG_MOVED, and as {@link RegistryClient.manifest}
 */
export async function lookUpTags(tags: Tags, options: LookupOptions): Promise<Manifest> {
  const clients = new Map<Gun, RegistryClient>();
  const lookUp = async (reference: TagReference): Promise<Manifest> => {
    const client = clients.get(reference.gun) ?? clientOf(reference.gun, options);
    clients.set(reference.gun, client);
    const manifest = await client.manifest({ tag: reference.tag });
    options.log.step(
      `the registry says: ${formatTagReference(reference)} is sha256:${manifest.sha256}`,
    );
    return manifest;
  };
  const [first, ...others] = tags;
  const manifest = await lookUp(first);
  for (const other of others) {
    const { sha256 } = await lookUp(other);
    if (sha256 === manifest.sha256) continue;
    throw new SigningError(
      'TAG_MOVED',
      `${formatTagReference(first)} is sha256:${manifest.sha256}, ` +
        `and ${formatTagReference(other)} is sha256:${sha256}`,
    );
  }
  return manifest;
}

function clientOf(gun: Gun, { http, credentials, pause, log }: LookupOptions): RegistryClient {
  const repository = registryRepository(gun);
  const tell = (message: string) => log.warn(message);
  return createRegistryClient({ http, repository, credentials, pause, tell });
}
