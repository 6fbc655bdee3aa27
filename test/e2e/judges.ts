/** Those who know nothing of us: the registry, and the CLIs notary, docker and notation. */
import { createHash } from 'node:crypto';
import { get } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { EndedBuild } from './build.ts';
import { makeV2Secret } from '../support/v2-secret.ts';
import type { Environment } from './environment.ts';

/**
 * Asks all three what each tag of a build is.
 *
 * @returns their common verdict, in words
 * @throws Error where one of them sees another image than the others, or none
 */
export async function demandSigned(environment: Environment, build: EndedBuild): Promise<string> {
  const cli = environment.notaryCli('judge');
  const docker = environment.dockerCli();
  const digests = await Promise.all(
    build.tags.map(async ({ gun, tag }) => {
      const pushed = await manifestOf(environment, gun, tag);
      const listed = await cli.lookup(gun, tag);
      const inspected = (await docker.trustInspect(`${gun}:${tag}`)).find(
        (signed) => signed.tag === tag,
      );
      const agrees =
        listed?.sha256 === pushed.sha256 &&
        listed.length === pushed.length &&
        inspected?.sha256 === pushed.sha256;
      if (agrees) return pushed.sha256;
      const said = JSON.stringify({ pushed, listed, inspected });
      throw new Error(`${gun}:${tag}: the judges do not agree: ${said}`);
    }),
  );
  const images = [...new Set(digests)].map((digest) => `sha256:${digest.slice(0, 12)}`);
  const repositories = new Set(build.tags.map(({ gun }) => gun)).size;
  return (
    `${count(build.tags.length, 'tag')} in ${count(repositories, 'repository', 'repositories')} ` +
    `signed as ${images.join(', ')}, say registry, notary and docker trust inspect`
  );
}

/** @throws Error where a tag is signed after all */
export async function demandUnsigned(environment: Environment, build: EndedBuild): Promise<string> {
  const cli = environment.notaryCli('judge');
  for (const { gun, tag } of build.tags) {
    if ((await cli.lookup(gun, tag)) !== undefined) throw new Error(`${gun}:${tag} is signed`);
  }
  return 'nothing signed, says notary';
}

/**
 * Asks notation for the image in each repository of a build.
 *
 * @param root PEM of the root that the signature has to be under
 * @throws Error with its words where it does not verify, or verifies under another root
 */
export async function demandV2Signed(
  environment: Environment,
  build: EndedBuild,
  root: string,
): Promise<string> {
  const env = { SSL_CERT_FILE: environment.authority.certificateFile };
  const judge = await environment.notationCli(root);
  const stranger = await environment.notationCli(makeV2Secret().root);
  const references = await referencesOf(environment, build);
  for (const reference of references) {
    const { code, stderr } = await judge.run(['verify', reference], env);
    if (code !== 0) throw new Error(`notation verify ${reference}: ${stderr}`);
    const { code: other } = await stranger.run(['verify', reference], env);
    if (other === 0) throw new Error(`notation verify ${reference}: good under a foreign root`);
  }
  const repositories = count(references.length, 'repository', 'repositories');
  return `a Notary Project signature in ${repositories}, says notation`;
}

/** @throws Error where notation lists a signature after all */
export async function demandV2Unsigned(
  environment: Environment,
  build: EndedBuild,
): Promise<string> {
  const env = { SSL_CERT_FILE: environment.authority.certificateFile };
  const judge = await environment.notationCli('');
  for (const reference of await referencesOf(environment, build)) {
    const { stdout, stderr } = await judge.run(['ls', reference], env);
    if (!stdout.includes('has no associated signature')) {
      throw new Error(`notation ls ${reference}: ${stdout}${stderr}`);
    }
  }
  return 'nothing signed, says notation';
}

/** The image in each repository of a build, by its digest. */
async function referencesOf(environment: Environment, { tags }: EndedBuild): Promise<string[]> {
  const tagOf = new Map(tags.map(({ gun, tag }) => [gun, tag]));
  return Promise.all(
    [...tagOf].map(async ([gun, tag]) => {
      const { sha256 } = await manifestOf(environment, gun, tag);
      return `${gun}@sha256:${sha256}`;
    }),
  );
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** What a registry has under a tag, asked over TLS. */
async function manifestOf({ authority }: Environment, gun: string, tag: string) {
  const [host, ...path] = gun.split('/');
  const url = `https://${host}/v2/${path.join('/')}/manifests/${tag}`;
  const headers = { accept: 'application/vnd.docker.distribution.manifest.v2+json' };
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    get(url, { ca: authority.certificatePem, headers, agent: false }, (response) => {
      if (response.statusCode === 200) buffer(response).then(resolve, reject);
      else reject(new Error(`${url}: ${response.statusCode}`));
    }).once('error', reject);
  });
  return { sha256: createHash('sha256').update(bytes).digest('hex'), length: bytes.length };
}
