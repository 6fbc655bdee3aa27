/** Registries of every kind over one set of images, and signers that ask them. */
import { join } from 'node:path';
import { startBed, type Bed } from '../../bed/bed.ts';
import { startRegistry, type Registry, type RegistryOptions } from '../../bed/docker-registry.ts';
import { pushImage, pushIndex, type PushedImage } from '../../bed/image.ts';
import { startTokenServer, type TokenServer } from '../../bed/token-server.ts';
import { initRepository, secretOf } from '../../bed/notary-repository.ts';
import { CANARIES } from '../../support/signer-failure.ts';
import { runSigner, type SignerRun, type SignerRunOptions } from '../../support/signer-run.ts';

const REPOSITORY = 'demo/app';
export const PASSWORD = CANARIES.userPassword;
export const IDENTITY_TOKEN = `${CANARIES.userPassword}-token`;

/** A bed with further registries. */
export interface RegistrySetup {
  readonly bed: Bed;
  /** In all registries under the tags 1 and stable, 2, multi, oci and oci-multi. */
  readonly images: Readonly<Record<'one' | 'two' | 'index' | 'oci' | 'ociIndex', PushedImage>>;
  /** Over TLS, to those with tokens: robot may pull, stranger nothing; robot has an identity token. */
  readonly guarded: Registry;
  readonly tokens: TokenServer;
  /** Over TLS, to robot with the password. */
  readonly basic: Registry;
  /** Over TLS, to everybody. */
  readonly open: Registry;
  /** The signing Secret, with the keys of all repositories that were made ready. */
  readonly secret: Readonly<Record<string, string>>;
  /** The repository at the registry of this host, made ready to be signed by all signers here. */
  gun(host: string): Promise<string>;
  /** Signs; the CA of the registries is known where nothing else is said. */
  sign(options: Partial<SignerRunOptions>): Promise<SignerRun>;
  stop(): Promise<void>;
}

/** The variable that names the CA of a bed. */
export const trusting = ({ authority }: Bed) => ({ SSL_CERT_FILE: authority.certificateFile });

export async function startRegistrySetup(): Promise<RegistrySetup> {
  const bed = await startBed();
  const { authority, directory } = bed;
  const tokens = await startTokenServer({
    authority,
    service: 'bed-registry',
    identityTokens: { [IDENTITY_TOKEN]: 'robot' },
    accounts: {
      robot: { password: PASSWORD, actions: ['pull'] },
      stranger: { password: PASSWORD, actions: [] },
    },
  });
  const start = (auth?: RegistryOptions['auth']) =>
    startRegistry({ directory: join(directory, 'registry'), authority, ...(auth && { auth }) });
  const [guarded, basic, open] = await Promise.all([
    start({ tokens }),
    start({ accounts: { robot: PASSWORD } }),
    start(),
  ]);
  const target = { registryUrl: bed.registry.url, repository: REPOSITORY };
  const one = await pushImage({ ...target, tags: ['1', 'stable'], content: 'one' });
  const two = await pushImage({ ...target, tags: ['2'], content: 'two' });
  const oci = await pushImage({ ...target, tags: ['oci'], content: 'oci', format: 'oci' });
  const ociIndex = await pushIndex({
    ...target,
    tags: ['oci-multi'],
    images: [oci],
    format: 'oci',
  });
  const index = await pushIndex({ ...target, tags: ['multi'], images: [one, two] });

  const owner = bed.cli('owner');
  const secret: Record<string, string> = {};
  const ready = new Set<string>();
  return {
    bed,
    images: { one, two, index, oci, ociIndex },
    guarded,
    tokens,
    basic,
    open,
    secret,
    gun: async (host) => {
      const gun = `${host}/${REPOSITORY}`;
      if (ready.has(gun)) return gun;
      ready.add(gun);
      await initRepository(bed, gun, owner);
      Object.assign(secret, await secretOf(bed, owner, gun));
      return gun;
    },
    sign: (options) =>
      runSigner({
        directory,
        notaryUrl: bed.notary.url,
        secret,
        report: undefined,
        env: trusting(bed),
        ...options,
      }),
    stop: async () => {
      await Promise.all([guarded, basic, open, tokens].map((part) => part.stop()));
      await bed.stop();
    },
  };
}
