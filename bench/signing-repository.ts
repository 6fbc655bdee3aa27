/** A repository at the bed's Notary server, and programs that sign fresh tags in it. */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { targetsKeyFile } from '../demo/scene.ts';
import type { Bed } from '../test/bed/bed.ts';
import type { ProgramOptions } from '../test/bed/child.ts';
import type { NotaryCli } from '../test/bed/notary-cli.ts';
import { bundledProgram } from './programs.ts';

/** An image that was never signed. */
export interface Target {
  readonly tag: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Of the manifest, in bytes. */
  readonly size: number;
}

/** A repository of which we have the targets key, as users have it: snapshots are the server's. */
export interface SigningRepository {
  readonly gun: string;
  newTarget(): Target;
  /**
   * The signer for one target, its report and Secret in place.
   *
   * @param notaryUrl the bed's server by default
   */
  signer(target: Target, notaryUrl?: string): Promise<ProgramOptions>;
  /** A notary CLI whose trust directory holds the targets key, and no metadata. */
  coldCli(): Promise<NotaryCli>;
  /** @throws Error unless a fresh notary CLI finds all these targets signed */
  demandSigned(targets: readonly Target[]): Promise<void>;
}

/** Makes the repository, with the notary CLI. */
export async function createSigningRepository(bed: Bed, gun: string): Promise<SigningRepository> {
  const owner = bed.cli();
  await owner.init(gun);
  await owner.rotateSnapshotToServer(gun);
  await owner.publish(gun);
  const keyFiles = await targetsKeyFile(owner);
  const directory = join(bed.directory, 'signer');
  const keyDirectory = join(directory, 'secret');
  await writeFiles(keyDirectory, {
    ...keyFiles,
    'notary-password.txt': `${owner.passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  });
  let targets = 0;
  let homes = 0;
  return {
    gun,
    newTarget: () => ({
      tag: `build-${(targets += 1)}`,
      sha256: randomBytes(32).toString('hex'),
      size: 1000 + targets,
    }),
    signer: async ({ tag, sha256, size }, notaryUrl = bed.notary.url) => {
      const report = join(directory, `${tag}.toml`);
      const image = `tags = ["${gun}:${tag}"]\ndigest = "sha256:${sha256}"\nmanifest-size = ${size}`;
      await writeFile(report, `[image]\n${image}\n`);
      return {
        program: process.execPath,
        args: [
          bundledProgram('signer'),
          `--report=${report}`,
          `--notary-url=${notaryUrl}`,
          `--key-dir=${keyDirectory}`,
        ],
        directory,
      };
    },
    coldCli: async () => {
      const cli = bed.cli(`cold-home-${(homes += 1)}`);
      await writeFiles(cli.privateKeyDirectory, keyFiles);
      return cli;
    },
    demandSigned: async (wanted) => {
      const listed = await bed.cli('judge').list(gun);
      for (const { tag, sha256, size } of wanted) {
        const found = listed.find((entry) => entry.tag === tag);
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
