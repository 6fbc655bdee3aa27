/** Repositories at a bed's Notary server, and programs that sign fresh tags in them. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { targetsKeyFile } from '../demo/build.ts';
import type { Bed } from '../test/bed/bed.ts';
import type { ProgramOptions } from '../test/bed/child.ts';
import { succeed } from '../test/bed/command.ts';
import { notaryCli, type Credentials, type NotaryCli } from '../test/bed/notary-cli.ts';
import { bundledProgram } from './programs.ts';

/** A tag that was never signed. */
export interface Target {
  readonly tag: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Of the manifest, in bytes. */
  readonly size: number;
}

/** How the signer is run, where it is not run as usual. */
export interface SignerRunOptions {
  /** The bed's server by default. */
  readonly notaryUrl?: string;
  /** Variables of the process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A repository of which we have a key, as users have it: snapshots are the server's. */
export interface SigningRepository {
  readonly gun: string;
  /** Tags of one new image. */
  newTargets(count: number): readonly Target[];
  /** The signer for the tags of one image, its report and Secret in place. */
  signer(targets: readonly Target[], options?: SignerRunOptions): Promise<ProgramOptions>;
  /**
   * A notary CLI whose trust directory holds the key, and no metadata.
   *
   * @param notaryUrl the bed's server by default
   */
  coldCli(notaryUrl?: string): Promise<NotaryCli>;
  /** @throws Error unless a fresh notary CLI finds all these tags signed */
  demandSigned(targets: readonly Target[]): Promise<void>;
}

/** Makes a repository with the notary CLI; its targets key signs. */
export async function createSigningRepository(
  bed: Bed,
  gun: string,
  auth?: Credentials,
): Promise<SigningRepository> {
  const owner = bed.cli(join('owners', gun), auth);
  await owner.init(gun);
  await owner.rotateSnapshotToServer(gun);
  await owner.publish(gun);
  return signingRepository(bed, gun, await targetsKeyFile(owner), owner.passphrase, auth);
}

/** Makes a repository in which so many tags of one image are signed; by the signer, in one run. */
export async function createFilledRepository(
  bed: Bed,
  gun: string,
  count: number,
): Promise<SigningRepository> {
  const repository = await createSigningRepository(bed, gun);
  const targets = repository.newTargets(count);
  await succeed({ ...(await repository.signer(targets)), timeLimit: 120_000 });
  await repository.demandSigned(targets);
  return repository;
}

/** Makes a repository with the docker CLI: the key of the first of its signers signs. */
export async function createDelegatedRepository(
  bed: Bed,
  gun: string,
  signers: readonly string[],
): Promise<SigningRepository> {
  const docker = bed.docker(join('owners', gun));
  const repositories: SigningRepository[] = [];
  for (const signer of signers) {
    const { publicKeyFile, privateKeyFile } = await docker.keyGenerate(signer);
    await docker.signerAdd(signer, publicKeyFile, gun);
    const keyFiles = { [`${signer}.key`]: await readFile(privateKeyFile, 'utf8') };
    repositories.push(await signingRepository(bed, gun, keyFiles, docker.passphrase));
  }
  // A delegation has a file once its signer has signed.
  for (const repository of repositories) {
    await succeed(await repository.signer(repository.newTargets(1)));
  }
  const [first] = repositories;
  if (!first) throw new Error('a delegated repository needs a signer');
  return first;
}

/** A repository that is there, with the files of a signing Secret of ours. */
export function secretRepository(
  bed: Bed,
  gun: string,
  secret: Readonly<Record<string, string>>,
): Promise<SigningRepository> {
  const keys = Object.entries(secret).filter(([name]) => name.endsWith('.key'));
  const password = secret['password'] ?? secret['notary-password.txt'] ?? '';
  return signingRepository(bed, gun, Object.fromEntries(keys), password.trim());
}

let directories = 0;
let images = 0;

async function signingRepository(
  bed: Bed,
  gun: string,
  keyFiles: Readonly<Record<string, string>>,
  passphrase: string,
  auth?: Credentials,
): Promise<SigningRepository> {
  const directory = join(bed.directory, `signer-${(directories += 1)}`);
  const keyDirectory = join(directory, 'secret');
  const authDirectory = join(directory, 'credentials');
  await writeFiles(keyDirectory, {
    ...keyFiles,
    'notary-password.txt': `${passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  });
  if (auth) await writeFiles(authDirectory, { ...auth });
  let homes = 0;
  return {
    gun,
    newTargets: (count) => {
      const image = { sha256: randomBytes(32).toString('hex'), size: 1000 + (images += 1) };
      const tag = `build-${images}`;
      return Array.from({ length: count }, (_, i) => ({ tag: `${tag}-${i}`, ...image }));
    },
    signer: async (targets, { notaryUrl = bed.notary.url, env } = {}) => {
      const [{ tag, sha256, size } = { tag: '', sha256: '', size: 0 }] = targets;
      const report = join(directory, `${tag}.toml`);
      const tags = JSON.stringify(targets.map(({ tag }) => `${gun}:${tag}`));
      const image = `tags = ${tags}\ndigest = "sha256:${sha256}"\nmanifest-size = ${size}`;
      await writeFile(report, `[image]\n${image}\n`);
      return {
        program: process.execPath,
        args: [
          bundledProgram('signer'),
          `--report=${report}`,
          `--notary-url=${notaryUrl}`,
          `--key-dir=${keyDirectory}`,
          ...(auth ? [`--notary-credentials=${new URL(notaryUrl).host}=${authDirectory}`] : []),
        ],
        directory,
        ...(env && { env }),
      };
    },
    coldCli: async (notaryUrl = bed.notary.url) => {
      const cli = notaryCli({
        server: { url: notaryUrl },
        authority: bed.authority,
        home: join(directory, `cold-home-${(homes += 1)}`),
        passphrase,
        ...(auth && { auth }),
      });
      await writeFiles(cli.privateKeyDirectory, keyFiles);
      return cli;
    },
    demandSigned: async (wanted) => {
      const listed = await bed.cli('judge').list(gun);
      const signed = new Map(listed.map((entry) => [entry.tag, entry]));
      for (const { tag, sha256, size } of wanted) {
        const found = signed.get(tag);
        if (found?.sha256 !== sha256 || found.length !== size) {
          throw new Error(`${gun}:${tag} was not signed as wanted`);
        }
      }
    },
  };
}

async function writeFiles(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(directory, name), content, { mode: 0o600 });
  }
}
