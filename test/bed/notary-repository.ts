/** Repositories at the bed's Notary server, made by the notary CLI as kpack's RFC tells users to. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from './bed.ts';
import type { NotaryCli } from './notary-cli.ts';

let homes = 0;

/** A repository that is ready to be signed: its snapshot key is on the server. */
export async function initRepository(
  bed: Bed,
  gun: string,
  cli: NotaryCli = bed.cli(`owner-${homes++}`),
): Promise<NotaryCli> {
  await cli.init(gun);
  await cli.rotateSnapshotToServer(gun);
  await cli.publish(gun);
  return cli;
}

/**
 * Ids of the root certificates of a repository, as its owner's client has them and as pins name them.
 *
 * @param trustDirectory of the notary or docker CLI that made the repository
 */
export async function rootPins(trustDirectory: string, gun: string): Promise<readonly string[]> {
  const file = join(trustDirectory, 'tuf', gun, 'metadata', 'root.json');
  const root = JSON.parse(await readFile(file, 'utf8')) as {
    readonly signed: { readonly roles: { readonly root: { readonly keyids: readonly string[] } } };
  };
  return root.signed.roles.root.keyids;
}

/** The key file of a role, as the CLI wrote it; of a given repository where there are several. */
export async function keyFile(
  cli: NotaryCli,
  role: string,
  gun?: string,
): Promise<Record<string, string>> {
  for (const name of await readdir(cli.privateKeyDirectory)) {
    const text = await readFile(join(cli.privateKeyDirectory, name), 'utf8');
    const isOfRole = text.includes(`\nrole: ${role}\n`);
    if (isOfRole && (gun === undefined || text.includes(`\ngun: ${gun}\n`))) {
      return { [name]: text };
    }
  }
  throw new Error(`there is no ${role} key in ${cli.privateKeyDirectory}`);
}

/** The signing Secret of a user who owns the repository. */
export async function secretOf(
  bed: Bed,
  cli: NotaryCli,
  gun?: string,
): Promise<Record<string, string>> {
  return {
    ...(await keyFile(cli, 'targets', gun)),
    'notary-password.txt': `${cli.passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  };
}

/** A repository with docker's delegations for these signers, and the signing Secret of each. */
export async function initDelegations(bed: Bed, name: string, signers: readonly string[]) {
  const gun = `registry.example.test/demo/${name}`;
  const docker = bed.docker(`docker-${name}`);
  const secrets: Record<string, string>[] = [];
  for (const signer of signers) {
    const { publicKeyFile, privateKeyFile } = await docker.keyGenerate(signer);
    await docker.signerAdd(signer, publicKeyFile, gun);
    secrets.push({
      'signer.key': await readFile(privateKeyFile, 'utf8'),
      password: docker.passphrase,
      'ca.crt': bed.authority.certificatePem,
    });
  }
  return { gun, secrets };
}
