/** Many signers of one image at once, each with a certificate of its own, and notation beside them. */
import { createHash } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { startBed } from '../bed/bed.ts';
import type { GoTools } from '../bed/go-tools.ts';
import { pushImage } from '../bed/image.ts';
import { notationCli, type NotationCli } from '../bed/notation-cli.ts';
import { startOlareg } from '../bed/olareg.ts';
import { reportToml, runSigner, type SignerRun } from '../support/signer-run.ts';
import { makeV2Secret } from '../support/v2-secret.ts';
import { startAtGate } from './start-gate.ts';

/** Where signatures are listed by a tag, and where by the referrers API. */
export const RACE_REGISTRIES = ['docker-registry', 'olareg'] as const;

/** A race to run. */
export interface V2RaceOptions {
  readonly tools: GoTools;
  readonly registry: (typeof RACE_REGISTRIES)[number];
  readonly signers: number;
  /** How many of `notation sign` run beside them; it writes over what others add meanwhile. */
  readonly others?: number;
  /** How many times the first of the signers signs once more, one after the other. */
  readonly repeats?: number;
}

/** How a race went. */
export interface V2RaceOutcome {
  readonly runs: readonly SignerRun[];
  readonly repeated: readonly SignerRun[];
  /** Digests of signatures that were there before, and of those whose makers said that they signed. */
  readonly wanted: Readonly<Record<'before' | 'ours', readonly string[]>>;
  /** What `notation ls` lists afterwards. */
  readonly listed: readonly string[];
  /** Whether the SBOM that was attached before is still listed. */
  readonly hasSbom: boolean;
  readonly milliseconds: number;
}

const REPOSITORY = 'demo/busy';
const SBOM_TYPE = 'application/spdx+json';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** Signs by notation, attaches an SBOM, then lets all signers go. */
export async function v2Race(options: V2RaceOptions): Promise<V2RaceOutcome> {
  const { tools, signers, others = 0, repeats = 0 } = options;
  const bed = await startBed();
  const { directory } = bed;
  const isOlareg = options.registry === 'olareg';
  const registry = isOlareg
    ? await startOlareg({ program: tools.olareg, directory })
    : bed.registry;
  try {
    const where = { registryUrl: registry.url, repository: REPOSITORY };
    const image = await pushImage({ ...where, tags: ['1'], content: 'signed by many' });
    const reference = `${registry.host}/${REPOSITORY}@${image.digest}`;
    const newNotation = async (): Promise<NotationCli> =>
      notationCli({
        ...{ program: tools.notation, roots: [] },
        home: await mkdtemp(join(directory, 'notation-')),
      });
    const judge = await newNotation();
    const list = async () => {
      const { stdout } = await judge.run(['ls', '--insecure-registry', reference]);
      return [...stdout.matchAll(/ (sha256:[0-9a-f]{64})$/gm)].map(([, digest = '']) => digest);
    };

    const sbom = await attachSbom(registry.url, image, !isOlareg);
    const [first, ...foreign] = await Promise.all(
      Array.from({ length: others + 1 }, async (_, i) => foreignSigner(await newNotation(), i)),
    );
    await first?.(reference);
    const before = await list();
    const report = reportToml(
      [`${registry.host}/${REPOSITORY}:1`],
      image.digest.replace('sha256:', ''),
      image.size,
    );
    const secrets = Array.from({ length: signers }, () => makeV2Secret().v2Secret);
    const gate = await startAtGate(directory, signers, (number, more) =>
      runSigner({ ...more, report, v2Secret: secrets[number - 1] ?? {} }),
    );
    const [{ runs, milliseconds }] = await Promise.all([
      gate.release(),
      ...foreign.map((sign) => sign(reference)),
    ]);
    const repeated: SignerRun[] = [];
    for (let i = 0; i < repeats; i += 1) {
      repeated.push(await runSigner({ directory, report, v2Secret: secrets[0] ?? {} }));
    }
    return {
      runs,
      repeated,
      wanted: {
        before,
        ours: runs.map(({ receipt }) => receipt.repositories[0]?.v2?.digest ?? 'none'),
      },
      listed: await list(),
      hasSbom: (await referrers(registry.url, image.digest, isOlareg)).includes(sbom),
      milliseconds,
    };
  } finally {
    if (isOlareg) await registry.stop();
    await bed.stop();
  }
}

/** Signs by notation with a key of its own. */
async function foreignSigner(notation: NotationCli, number: number) {
  const made = await notation.run(['cert', 'generate-test', '--default', `other${number}`]);
  if (made.code !== 0) throw new Error(made.stderr);
  return async (reference: string): Promise<void> => {
    const flags = ['--insecure-registry', '--force-referrers-tag=false'];
    const { code, stderr } = await notation.run(['sign', ...flags, reference]);
    if (code !== 0) throw new Error(stderr);
  };
}

/** Attaches an SBOM, as oras does; it adds the entry at the tag itself, where nobody else does. */
async function attachSbom(
  url: string,
  { digest, size }: { readonly digest: string; readonly size: number },
  listsByTag: boolean,
): Promise<string> {
  const base = `${url}/v2/${REPOSITORY}`;
  const config = Buffer.from('{}');
  const opened = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(opened.headers.get('location') ?? '', base);
  upload.searchParams.set('digest', digestOf(config));
  await demand(201, await fetch(upload, { method: 'PUT', body: config }));
  const descriptor = { mediaType: SBOM_TYPE, digest: digestOf(config), size: config.length };
  const subject = {
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    ...{ digest, size },
  };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptor, subject };
  const bytes = Buffer.from(JSON.stringify({ ...manifest, layers: [descriptor] }));
  const put = async (name: string, type: string, body: Uint8Array<ArrayBuffer>): Promise<void> =>
    demand(
      201,
      await fetch(`${base}/manifests/${name}`, {
        ...{ method: 'PUT', body },
        headers: { 'content-type': type },
      }),
    );
  await put(digestOf(bytes), MANIFEST_TYPE, bytes);
  if (listsByTag) {
    const entry = { mediaType: MANIFEST_TYPE, digest: digestOf(bytes), size: bytes.length };
    const manifests = [{ ...entry, artifactType: SBOM_TYPE }];
    const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests };
    await put(digest.replace(':', '-'), INDEX_TYPE, Buffer.from(JSON.stringify(index)));
  }
  return digestOf(bytes);
}

/** Digests of all that refers to an image. */
async function referrers(
  url: string,
  digest: string,
  hasApi: boolean,
): Promise<readonly (string | undefined)[]> {
  const place = hasApi ? `referrers/${digest}` : `manifests/${digest.replace(':', '-')}`;
  const answer = await fetch(`${url}/v2/${REPOSITORY}/${place}`, {
    headers: { accept: INDEX_TYPE },
  });
  await demand(200, answer.clone());
  const { manifests } = (await answer.json()) as { manifests: { digest?: string }[] };
  return manifests.map(({ digest }) => digest);
}

async function demand(status: number, answer: Response): Promise<void> {
  if (answer.status !== status) throw new Error(`${answer.status} ${await answer.text()}`);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** What is not as it must be after a race without others. */
export function raceProblems(outcome: V2RaceOutcome): readonly string[] {
  const { runs, repeated, wanted, listed, hasSbom } = outcome;
  const failed = runs.filter(({ code, receipt }) => code !== 0 || receipt.result !== 'signed');
  const again = repeated.filter(({ receipt }) => receipt.result !== 'already-signed');
  const lost = [...wanted.before, ...wanted.ours].filter((digest) => !listed.includes(digest));
  return [
    ...[...failed, ...again].map(({ stdout }) => `not as it must be:\n${stdout}`),
    ...lost.map((digest) => `${digest} is not listed`),
    ...(wanted.before.length === 1 ? [] : ['notation did not sign before']),
    ...(hasSbom ? [] : ['the SBOM is not listed any more']),
  ];
}
