/** What the programs take: their files, and the memory of the signer. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { Bed } from '../test/bed/bed.ts';
import { interleave } from './interleaving.ts';
import { createMemoryProbe } from './process-figures.ts';
import { bundle, bundledProgram } from './programs.ts';
import { ofSize, type SizedRepository } from './signing.ts';
import type { Measurement } from './table.ts';

/** Peak memory of the signer in MiB, and up to how many tags in the repository it is promised. */
const MOST_MEMORY = 64;
const PROMISED_TAGS = 1000;
/** What the signer has no use for. */
const STRANGERS = ['fastify', '@kubernetes/client-node'];

/** Peak memory while one tag is signed, against a bare request and against bare Node. */
export async function measureSignerMemory(
  { directory, authority, notary }: Bed,
  repositories: readonly [SizedRepository, ...SizedRepository[]],
  rounds: number,
): Promise<Measurement> {
  const peakOf = await createMemoryProbe(directory);
  const bareRequest = await bundle('bare-request', directory);
  const roots = join(directory, 'system-roots.pem');
  await writeFile(roots, rootCertificates.join('\n'));
  const node = (...args: readonly string[]) => ({ program: process.execPath, args, directory });
  const ours = repositories.map(({ tags, repository }) => ({
    name: ofSize('signer', tags),
    what: 'dist/signer.cjs',
    limit: tags <= PROMISED_TAGS ? MOST_MEMORY : undefined,
    peak: async () => peakOf(await repository.signer(repository.newTargets(1))),
  }));
  const [{ repository }] = repositories;
  const env = { SSL_CERT_FILE: roots };
  const others = [
    {
      name: 'signer, system roots',
      what: `the same, and SSL_CERT_FILE names a file of ${rootCertificates.length} certificates`,
      limit: MOST_MEMORY,
      peak: async () => peakOf(await repository.signer(repository.newTargets(1), { env })),
    },
    {
      name: 'bare request',
      what: 'one request by node:https, bundled, same roots',
      peak: () => peakOf(node(bareRequest, notary.url, authority.certificateFile)),
    },
    { name: 'bare node', what: 'node -e 0', peak: () => peakOf(node('-e', '0')) },
  ];
  const all = [...ours, ...others];
  const probes = all.map(({ name, peak }) => [name, peak] as const);
  const values = await interleave(rounds, Object.fromEntries(probes), 0);
  return {
    title: 'Peak resident memory while one tag is signed, beside as many',
    unit: 'MiB',
    better: 'lower',
    subjects: all.map(({ name, what }) => ({ name, what, values: values[name] ?? [] })),
    ratios: ours.flatMap(({ name }) => [
      [name, 'bare request'],
      [name, 'bare node'],
    ]),
    limits: Object.fromEntries(
      all.flatMap((subject) =>
        'limit' in subject && subject.limit !== undefined
          ? [[subject.name, subject.limit] as const]
          : [],
      ),
    ),
  };
}

/** The bundles, a line each: size as it is, and as image layers carry it. */
export function bundleSizes(): string[] {
  return (['signer', 'webhook'] as const).map((name) => {
    const file = bundledProgram(name);
    const bytes = readFileSync(file);
    const [whole, packed] = [bytes, gzipSync(bytes)].map(({ length }) => Math.round(length / 1024));
    return `  ${`dist/${basename(file)}`.padEnd(35)} ${`${whole}`.padStart(9)} KiB, ${packed} KiB gzipped`;
  });
}

/**
 * The packages that the signer's bundle is made of, as the bundler lists them.
 *
 * @throws Error when it holds one that it must not
 */
export function signerPackages(): string {
  const list = readFileSync(join(dirname(bundledProgram('signer')), 'packages.json'), 'utf8');
  const { signer } = JSON.parse(list) as { readonly signer: readonly string[] };
  const strangers = STRANGERS.filter((name) => signer.includes(name));
  if (strangers.length > 0) throw new Error(`dist/signer.cjs holds ${strangers.join(', ')}`);
  return `  in dist/signer.cjs: ${signer.join(', ')}; neither ${STRANGERS.join(' nor ')}`;
}
