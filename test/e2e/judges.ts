/** Those who know nothing of us: the registry, the notary CLI, the docker CLI. */
import { createHash } from 'node:crypto';
import { get } from 'node:https';
import { buffer } from 'node:stream/consumers';
import type { EndedBuild } from './build.ts';
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
