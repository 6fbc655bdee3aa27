/** What the programs take: their files, and the memory of the signer. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Bed } from '../test/bed/bed.ts';
import { interleave } from './interleaving.ts';
import { peakMemoryOf } from './process-figures.ts';
import { bundledProgram } from './programs.ts';
import type { SigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** Peak memory while one tag is signed, against bare Node. */
export async function measureSignerMemory(
  { directory }: Bed,
  repository: SigningRepository,
  rounds: number,
): Promise<Measurement> {
  const values = await interleave(rounds, {
    signer: async () => peakMemoryOf(await repository.signer(repository.newTarget())),
    bareNode: () => peakMemoryOf({ program: process.execPath, args: ['-e', '0'], directory }),
  });
  return {
    title: 'Peak resident memory while one tag is signed',
    unit: 'MiB',
    better: 'lower',
    subjects: [
      { name: 'signer', what: 'dist/signer.cjs', values: values.signer },
      { name: 'bare node', what: 'node -e 0', values: values.bareNode },
    ],
    ratios: [['signer', 'bare node']],
  };
}

/** The bundles, a line each: size as it is, and as image layers carry it. */
export function bundleSizes(): string[] {
  return (['signer', 'webhook'] as const).map((name) => {
    const file = bundledProgram(name);
    const bytes = readFileSync(file);
    const [whole, packed] = [bytes, gzipSync(bytes)].map(({ length }) => Math.round(length / 1024));
    return `  ${`dist/${basename(file)}`.padEnd(31)} ${`${whole}`.padStart(9)} KiB, ${packed} KiB gzipped`;
  });
}
