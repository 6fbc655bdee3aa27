/**
 * The real docker CLI's trust commands against one Notary server; no engine is needed.
 */
import { createHash, createPublicKey } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Authority } from './authority.ts';
import { succeed } from './command.ts';
import type { Credentials } from './notary-cli.ts';

/** A docker CLI to use. */
export interface DockerCliOptions {
  /** The Notary server; the CLI takes no other than https. */
  readonly server: { readonly url: string; readonly host: string };
  /** Whose certificates the CLI trusts. */
  readonly authority: Pick<Authority, 'certificateFile'>;
  /** The CLI's configuration directory, with its keys; made where it is missing. */
  readonly home: string;
  /** Credentials for the host of each image that the CLI is asked about. */
  readonly auth?: Credentials;
  /** Of all keys; `canary-docker-passphrase` by default. */
  readonly passphrase?: string;
}

/** A tag as `docker trust inspect` shows it. */
export interface SignedTag {
  readonly tag: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Delegations (without `targets/`) that signed the same, or `Repo Admin` where none did. */
  readonly signers: readonly string[];
}

/** The docker CLI; everything throws an Error with the tool's output when the tool fails. */
export interface DockerCli {
  readonly passphrase: string;
  /** Where its keys and caches are: a home for the notary CLI with the same passphrase. */
  readonly trustDirectory: string;
  /**
   * What is signed, from the server and never from a cache; empty when the repository is signed and
   * the tag is not. The host of the image must not be a loopback name or address: the CLI would then
   * not verify the server's certificate.
   *
   * @param image a repository or `repository:tag`
   * @throws Error when the server does not know the repository, or cannot be asked
   */
  trustInspect(image: string): Promise<readonly SignedTag[]>;
  /** Makes a key of a signer: the public one in the home, the private one among the trusted ones. */
  keyGenerate(
    name: string,
  ): Promise<{ readonly publicKeyFile: string; readonly privateKeyFile: string }>;
  /** Lets a signer sign an image; makes the image's trust repository where it is missing. */
  signerAdd(name: string, publicKeyFile: string, image: string): Promise<void>;
  /** Takes the right to sign an image away, and all that was signed by it alone. */
  signerRemove(name: string, image: string): Promise<void>;
  /** Signs a tag again that is released: without an engine no other can be. */
  sign(image: string): Promise<void>;
  /** Takes a tag out of all roles whose keys are here. */
  revoke(image: string): Promise<void>;
}

/** A docker CLI; nothing runs yet. */
export function dockerCli(options: DockerCliOptions): DockerCli {
  const { server, authority, auth, passphrase = 'canary-docker-passphrase' } = options;
  const home = resolve(options.home);
  const run = async (config: string, args: readonly string[], image?: string): Promise<string> => {
    const tls = join(config, 'tls', server.host);
    await mkdir(tls, { recursive: true, mode: 0o700 });
    await copyFile(authority.certificateFile, join(tls, 'ca.crt'));
    if (auth !== undefined && image !== undefined) {
      await writeFile(join(config, 'config.json'), credentialsFor(image, auth), { mode: 0o600 });
    }
    const env = {
      DOCKER_CONFIG: config,
      DOCKER_CONTENT_TRUST_SERVER: server.url,
      DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: passphrase,
      DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: passphrase,
    };
    return succeed({ program: 'docker', args: ['trust', ...args], directory: config, env });
  };
  return {
    passphrase,
    trustDirectory: join(home, 'trust'),
    trustInspect: async (image) => {
      await mkdir(home, { recursive: true, mode: 0o700 });
      const fresh = await mkdtemp(join(home, 'inspect-'));
      const text = await run(fresh, ['inspect', image], image).finally(() =>
        rm(fresh, { recursive: true, force: true }),
      );
      return parseInspect(text);
    },
    keyGenerate: async (name) => {
      await run(home, ['key', 'generate', name, '--dir', home]);
      const publicKeyFile = join(home, `${name}.pub`);
      const id = await keyIdOf(publicKeyFile);
      const privateKeyFile = join(home, 'trust', 'private', `${id}.key`);
      await access(privateKeyFile);
      return { publicKeyFile, privateKeyFile };
    },
    signerAdd: async (name, publicKeyFile, image) => {
      await run(home, ['signer', 'add', '--key', resolve(publicKeyFile), name, image], image);
    },
    signerRemove: async (name, image) => {
      await run(home, ['signer', 'remove', '--force', name, image], image);
    },
    sign: async (image) => {
      await run(home, ['sign', image], image);
    },
    revoke: async (image) => {
      await run(home, ['revoke', '--yes', image], image);
    },
  };
}

interface InspectedTag {
  readonly SignedTag: string;
  readonly Digest: string;
  readonly Signers: readonly string[];
}

function parseInspect(text: string): readonly SignedTag[] {
  const repositories = JSON.parse(text) as readonly { SignedTags: readonly InspectedTag[] }[];
  return repositories.flatMap(({ SignedTags }) =>
    SignedTags.map(({ SignedTag, Digest, Signers }) => ({
      tag: SignedTag,
      sha256: Digest,
      signers: Signers,
    })),
  );
}

/** The id of an EC key as Notary computes it, which names the private key's file. */
async function keyIdOf(publicKeyFile: string): Promise<string> {
  const pem = await readFile(publicKeyFile, 'utf8');
  // Headers such as `role: alice` are Notary's own; nobody else's PEM has them.
  const bare = pem.replace(/^[\w-]+: .*\n+/gm, '');
  const der = createPublicKey(bare).export({ type: 'spki', format: 'der' }).toString('base64');
  const key = { keytype: 'ecdsa', keyval: { private: null, public: der } };
  return createHash('sha256').update(JSON.stringify(key)).digest('hex');
}

/** The CLI's configuration file: it sends a Notary server what is there for the image's host. */
function credentialsFor(image: string, auth: Credentials): string {
  const [first = ''] = image.split('/', 1);
  const named = image.includes('/') && /[.:]|^localhost$/.test(first) && first !== 'docker.io';
  const host = named ? first : 'https://index.docker.io/v1/';
  const value = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
  return JSON.stringify({ auths: { [host]: { auth: value } } });
}
