/** What the signer needs in large repositories: peak memory and time, by tags and by what others sign. */
import { performance } from 'node:perf_hooks';
import type { Bed } from '../test/bed/bed.ts';
import { publishFilled } from '../test/support/filled-role.ts';
import { initDelegations, initRepository, secretOf } from '../test/bed/notary-repository.ts';
import { createMemoryProbe } from './process-figures.ts';
import { secretRepository, type SigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** The repositories. */
export interface RepositoryMemoryOptions {
  /** Tags of the role that is signed. */
  readonly tags: readonly number[];
  /** Sizes, in MiB, of a delegation that somebody else signs beside ours. */
  readonly foreign: readonly number[];
  readonly rounds: number;
}

interface Setup {
  readonly name: string;
  readonly what: string;
  readonly repository: SigningRepository;
}

/** Of each round: MiB, and seconds. */
interface Figures {
  readonly peaks: readonly number[];
  readonly seconds: readonly number[];
}

/** Later than what the tools publish. */
const VERSION = 100;
const MIB = 1024 * 1024;
/** What one tag takes in a file that holds many, in bytes. */
const TAG_BYTES = 101;

/** Signs one tag in each repository. */
export async function measureRepositoryMemory(
  bed: Bed,
  { tags, foreign, rounds }: RepositoryMemoryOptions,
): Promise<readonly Measurement[]> {
  const peakOf = await createMemoryProbe(bed.directory);
  const subjects: (Pick<Setup, 'name' | 'what'> & Figures)[] = [];
  // One repository at a time: the server holds them all in memory.
  for (const make of [
    ...tags.map((count) => () => ownSetup(bed, count)),
    ...foreign.map((mebibytes) => () => foreignSetup(bed, mebibytes)),
  ]) {
    const { name, what, repository } = await make();
    const peaks: number[] = [];
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const program = await repository.signer(repository.newTargets(1));
      const started = performance.now();
      peaks.push(await peakOf({ ...program, timeLimit: 600_000 }));
      seconds.push((performance.now() - started) / 1000);
    }
    subjects.push({ name, what, peaks, seconds });
  }
  const common = { better: 'lower', ratios: [] } as const;
  const values = (figure: keyof Figures) =>
    subjects.map(({ name, what, ...figures }) => ({ name, what, values: figures[figure] }));
  return [
    {
      title: 'Peak resident memory while one tag is signed, large repositories',
      unit: 'MiB',
      subjects: values('peaks'),
      ...common,
    },
    {
      title: 'Time of the same, with what the server takes',
      unit: 's',
      subjects: values('seconds'),
      ...common,
    },
  ];
}

async function ownSetup(bed: Bed, tags: number): Promise<Setup> {
  const gun = `registry.example.com/large/own-${tags}`;
  const secret = await secretOf(bed, await initRepository(bed, gun));
  const bytes = await publishFilled(bed, gun, { role: 'targets', secret, tags, version: VERSION });
  const what = `a file of ${(bytes / MIB).toFixed(1)} MiB`;
  return { name: `${tags} tags`, what, repository: await secretRepository(bed, gun, secret) };
}

async function foreignSetup(bed: Bed, mebibytes: number): Promise<Setup> {
  const { gun, secrets } = await initDelegations(bed, `foreign-${mebibytes}`, ['alice', 'bob']);
  const [ours, theirs] = secrets;
  if (!ours || !theirs) throw new Error('a delegated repository has two signers');
  const tags = Math.round((mebibytes * MIB) / TAG_BYTES);
  const role = 'targets/bob';
  await publishFilled(bed, gun, { role, secret: theirs, tags, version: VERSION });
  return {
    name: `beside ${mebibytes} MiB`,
    what: `${tags} tags in a delegation of somebody else`,
    repository: await secretRepository(bed, gun, ours),
  };
}
