/** A repository of some shape that its owner and our signer publish to by turns. */
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../bed/bed.ts';
import type { DockerCli } from '../bed/docker-cli.ts';
import { notaryCli, type NotaryCli } from '../bed/notary-cli.ts';
import { keyFile } from '../bed/notary-repository.ts';
import { reportToml, runSigner, type SignerRun } from './signer-run.ts';

/** What is signed under a tag. */
export interface Content {
  readonly sha256: string;
  readonly length: number;
}

/** A repository at the bed's server, with its owner's tools and what must be found in it. */
export interface ShapedRepository {
  readonly bed: Bed;
  readonly gun: string;
  /** Scratch files. */
  readonly directory: string;
  /** Both tools of the owner have the same keys, and caches as old as the repository. */
  readonly notary: NotaryCli;
  readonly docker: DockerCli;
  /** Every tag that anybody signed and nobody took away. */
  readonly contents: Map<string, Content>;
  /** The delegations that we sign; empty: `targets`. */
  readonly delegations: readonly string[];
  /** What the tags that we may sign begin with. */
  readonly prefix: string;
  /** Keys of delegations in the signing Secret; those of `targets` are there anyway. */
  readonly keys: Readonly<Record<string, string>>;
}

/** A repository that nobody has initialised yet. */
export function blankRepository(bed: Bed, name: string): ShapedRepository {
  const docker = bed.docker(`owner-${name}`);
  const { notary: server, authority } = bed;
  const { trustDirectory: home, passphrase } = docker;
  return {
    bed,
    gun: `registry.example.test/shapes/${name}`,
    directory: join(bed.directory, `owner-${name}`),
    notary: notaryCli({ server, authority, home, passphrase }),
    docker,
    contents: new Map(),
    delegations: [],
    prefix: '',
    keys: {},
  };
}

/** What is signed under every tag of that name. */
export function contentOf(tag: string): Content {
  const sha256 = createHash('sha256').update(textOf(tag)).digest('hex');
  return { sha256, length: Buffer.byteLength(textOf(tag)) };
}

function textOf(tag: string): string {
  return `the manifest of ${tag}`;
}

/** The owner signs a tag with the notary CLI, in a role of which it has the key. */
export async function publish(
  { notary, gun, contents }: ShapedRepository,
  tag: string,
  role = 'targets',
  more: readonly string[] = [],
): Promise<void> {
  const content = contentOf(tag);
  await notary.addHash(gun, tag, content.length, content.sha256, [role], more);
  await notary.publish(gun);
  contents.set(tag, content);
}

/** Our signer signs a tag: on default flags, with the keys that the owner has today. */
export async function sign(repository: ShapedRepository, tag: string): Promise<SignerRun> {
  const { bed, gun, contents, docker, keys } = repository;
  const content = contentOf(tag);
  const run = await runSigner({
    directory: bed.directory,
    notaryUrl: bed.notary.url,
    secret: {
      ...(await targetsKeys(repository)),
      ...keys,
      password: docker.passphrase,
      'ca.crt': bed.authority.certificatePem,
    },
    report: reportToml([`${gun}:${tag}`], content.sha256, content.length),
  });
  if (run.receipt.result === 'signed') contents.set(tag, content);
  return run;
}

/** Whether a stranger's notary CLI finds the content of a tag. */
export async function verifies(repository: ShapedRepository, tag: string): Promise<boolean> {
  const { bed, directory, gun } = repository;
  const file = join(directory, 'manifest');
  await writeFile(file, textOf(tag));
  return bed.cli('judge').verifies(gun, tag, file);
}

/** A key of a delegation: what `notary delegation add` takes, and the private half in the tool. */
export interface DelegationKey {
  readonly publicFile: string;
  /** Among the owner's keys, and for a signing Secret. */
  readonly keyFile: Readonly<Record<string, string>>;
}

/** Makes a key for a delegation, and puts it among the owner's. */
export async function delegationKey(
  { bed, directory, notary }: ShapedRepository,
  name: string,
  kind: 'key' | 'certificate' = 'key',
): Promise<DelegationKey> {
  await mkdir(directory, { recursive: true });
  if (kind === 'certificate') {
    const issued = await bed.authority.issue({ name, usage: 'signing' });
    await notary.keyImport(issued.keyFile, name);
    return { publicFile: issued.certificateFile, keyFile: await keyFile(notary, name) };
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [privateFile, publicFile] = [
    join(directory, `${name}.pem`),
    join(directory, `${name}.pub`),
  ];
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  await writeFile(privateFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(publicFile, publicPem);
  await notary.keyImport(privateFile, name);
  return { publicFile, keyFile: await keyFile(notary, name) };
}

/** The keys of `targets` that the owner ever had, but for those that were rotated in a tool. */
async function targetsKeys({ notary, gun }: ShapedRepository): Promise<Record<string, string>> {
  const keys: Record<string, string> = {};
  for (const name of await readdir(notary.privateKeyDirectory)) {
    const text = await readFile(join(notary.privateKeyDirectory, name), 'utf8');
    if (text.includes('\nrole: targets\n') && text.includes(`\ngun: ${gun}\n`)) keys[name] = text;
  }
  return keys;
}
