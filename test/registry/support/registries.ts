/** The real registries, with images and lists in them. */
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Descriptor } from '../../../src/sidecar/notation/descriptor.ts';
import { createAuthority, type Authority } from '../../bed/authority.ts';
import { runCommand } from '../../bed/command.ts';
import { startRegistry, type Registry } from '../../bed/docker-registry.ts';
import { goTools } from '../../bed/go-tools.ts';
import { pushImage } from '../../bed/image.ts';
import { ensureInstalled } from '../../bed/installed.ts';
import { startOlareg } from '../../bed/olareg.ts';
import { startProxy, type ProxiedRequest, type Proxy, type ProxyAction } from '../../bed/proxy.ts';
import { temporaryDirectory } from '../../bed/temporary-directory.ts';
import { REPOSITORY, signatureRegistry, type TestClientOptions } from './signing.ts';

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const IMAGE_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';

export interface Registries {
  readonly directory: string;
  readonly authority: Authority;
  /** Has no referrers API. */
  readonly docker: Registry;
  /** Has it; undefined: it cannot be had. */
  readonly olareg: Registry | undefined;
  /** A registry behind a proxy that does what a rule says, and a client of it. */
  behind(
    t: Test,
    registry: Registry,
    rule: (request: ProxiedRequest) => ProxyAction,
    options?: Partial<TestClientOptions>,
  ): Promise<{ readonly proxy: Proxy; readonly client: ReturnType<typeof signatureRegistry> }>;
  /** The digests that the real notation lists, or how it fails; undefined: it cannot be had. */
  notationList(host: string, subject: Descriptor): Promise<readonly string[] | string | undefined>;
}

export async function startRegistries(t: Test): Promise<Registries> {
  const directory = temporaryDirectory();
  await ensureInstalled();
  const authority = await createAuthority(directory);
  const docker = await startRegistry({ directory: join(directory, 'docker') });
  const tools = await goTools();
  const isThere = !('missing' in tools);
  if (!isThere) t.comment(tools.missing);
  const olareg = isThere ? await startOlareg({ program: tools.olareg, directory }) : undefined;
  t.teardown(() => Promise.all([docker.stop(), olareg?.stop()]));
  return {
    directory,
    authority,
    docker,
    olareg,
    behind: async (t, { url: target }, rule, options) => {
      const proxy = await startProxy({ authority, target, rule });
      t.teardown(() => proxy.stop());
      const host = new URL(proxy.url).host;
      return { proxy, client: signatureRegistry(t, { host, authority, ...options }) };
    },
    notationList: async (host, subject) => {
      if (!isThere) return undefined;
      const isPlain = host === docker.host || host === olareg?.host;
      const reference = `${host}/${REPOSITORY}@${subject.digest}`;
      const { code, stdout, stderr } = await runCommand({
        program: tools.notation,
        args: ['ls', ...(isPlain ? ['--insecure-registry'] : []), reference],
        directory,
        env: {
          XDG_CONFIG_HOME: join(directory, 'notation'),
          SSL_CERT_FILE: authority.certificateFile,
        },
      });
      if (code !== 0) return stderr;
      return [...stdout.matchAll(/ (sha256:[0-9a-f]{64})$/gm)].map(([, digest = '']) => digest);
    },
  };
}

/** An image that is pushed for this; equal contents give equal images. */
export async function subjectAt({ url }: Registry, content: string): Promise<Descriptor> {
  const image = await pushImage({ registryUrl: url, repository: REPOSITORY, tags: [], content });
  return { mediaType: IMAGE_TYPE, digest: image.digest, size: image.size };
}

export const hexOf = ({ digest }: Descriptor) => digest.replace('sha256:', '');
export const tagOf = ({ digest }: Descriptor) => digest.replace(':', '-');
/** The names of test signatures, from their entries. */
export const names = (entries: readonly Descriptor[]) =>
  entries.map(({ annotations }) => annotations?.['test.name']);

/** The index at the tag of a subject; undefined: there is nothing. */
export async function atTag({ url }: Registry, subject: Descriptor) {
  const answer = await fetch(`${url}/v2/${REPOSITORY}/manifests/${tagOf(subject)}`, {
    headers: { accept: INDEX_TYPE },
  });
  const index = (await answer.json()) as { readonly manifests: readonly Descriptor[] };
  return answer.status === 404 ? undefined : index;
}

export async function putTag({ url }: Registry, subject: Descriptor, members: object) {
  const answer = await fetch(`${url}/v2/${REPOSITORY}/manifests/${tagOf(subject)}`, {
    method: 'PUT',
    headers: { 'content-type': INDEX_TYPE },
    body: JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, ...members }),
  });
  const said = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status} ${said}`);
}
