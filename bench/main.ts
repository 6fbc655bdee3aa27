/**
 * Measures the signer and the webhook against baselines, in one run, taking turns. `--quick` has
 * few rounds: it shows that everything runs, and its figures say little. `--both` measures v1
 * and v2 in one run, and nothing else. `--admission` leaves the signer out. With `--against DIR` the webhook takes turns with that of another version, which was
 * built in DIR. `--footprint` measures the images and their containers alone. `--memory` measures what
 * the signer needs in large repositories, and nothing else.
 */
import { availableParallelism, cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { startBed, type Bed } from '../test/bed/bed.ts';
import { goTools } from '../test/bed/go-tools.ts';
import { whyNoImages } from '../test/bed/container-images.ts';
import { measureAgainst } from './against.ts';
import { measureAdmission, type AdmissionOptions } from './admission.ts';
import { containerImages, imageSizes, measureContainers } from './containers.ts';
import { measureBoth } from './both.ts';
import { measureDistance, type DistanceOptions } from './distance.ts';
import { bundleSizes, measureSignerMemory, signerPackages } from './footprint.ts';
import { measureRepositoryMemory, type RepositoryMemoryOptions } from './repository-memory.ts';
import { measureSignerStart } from './signer-start.ts';
import { measureSigning, type SizedRepository } from './signing.ts';
import { createFilledRepository } from './signing-repository.ts';
import { tableOf, type Measurement } from './table.ts';
import { measureTraffic } from './traffic.ts';

/** How many rounds of what. */
interface Rounds {
  /** How many tags the repositories have in which one more is signed; the fewest first. */
  readonly sizes: readonly [number, ...number[]];
  readonly start: number;
  readonly signing: number;
  readonly distance: DistanceOptions;
  readonly both: number;
  readonly traffic: number;
  readonly memory: number;
  readonly containers: number;
  readonly repositories: RepositoryMemoryOptions;
  readonly admission: AdmissionOptions;
}

const FULL: Rounds = {
  sizes: [10, 1000, 20_000],
  start: 21,
  signing: 9,
  distance: { rounds: 9, counts: [1, 3, 20] },
  both: 9,
  traffic: 3,
  memory: 5,
  containers: 11,
  repositories: {
    tags: [10, 1000, 10_000, 20_000, 50_000, 100_000],
    foreign: [1, 4, 16, 32, 64],
    rounds: 3,
  },
  admission: { rounds: 9, seconds: 0.8, memory: [10_000, 100_000] },
};
const QUICK: Rounds = {
  sizes: [10, 1000],
  start: 3,
  signing: 2,
  distance: { rounds: 1, counts: [1, 20] },
  both: 1,
  traffic: 1,
  memory: 1,
  containers: 2,
  repositories: { tags: [10, 10_000, 100_000], foreign: [1, 16], rounds: 1 },
  admission: { rounds: 2, seconds: 0.3, memory: [500, 2_000] },
};

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

function show(measurement: Measurement): void {
  say(tableOf(measurement));
}

async function sized(bed: Bed, tags: number): Promise<SizedRepository> {
  const gun = `registry.example.com/team/app-${tags}`;
  return { tags, repository: await createFilledRepository(bed, gun, tags) };
}

async function measureSigner(bed: Bed, rounds: Rounds): Promise<void> {
  const [smallest, ...larger] = rounds.sizes;
  const first = await sized(bed, smallest);
  const repositories: [SizedRepository, ...SizedRepository[]] = [first];
  for (const tags of larger) repositories.push(await sized(bed, tags));
  show(await measureSignerStart(bed, first.repository, rounds.start));
  for (const measurement of await measureDistance(bed, rounds.distance)) show(measurement);
  for (const measurement of await measureTraffic(bed, rounds.traffic)) show(measurement);
  show(await measureSigning(repositories, rounds.signing));
  show(await measureSignerMemory(bed, repositories, rounds.memory));
}

async function measureV2(bed: Bed, rounds: Rounds): Promise<void> {
  const tools = await goTools();
  if ('missing' in tools) return say([`v1 and v2: not measured, since ${tools.missing}`]);
  for (const measurement of await measureBoth(bed, tools, rounds.both)) show(measurement);
}

async function measureImages(bed: Bed, rounds: Rounds): Promise<void> {
  const reason = whyNoImages();
  if (reason !== undefined) return say([`Images: not measured, since ${reason}`]);
  const images = await containerImages(bed);
  say(['Images', ...imageSizes(images)]);
  for (const measurement of await measureContainers(bed, images, rounds.containers)) {
    show(measurement);
  }
}

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    admission: { type: 'boolean' },
    both: { type: 'boolean' },
    footprint: { type: 'boolean' },
    memory: { type: 'boolean' },
    against: { type: 'string' },
  },
});
const rounds = options.quick ? QUICK : FULL;
const started = performance.now();
say([
  `Node ${process.version}, ${availableParallelism()} cores: ${cpus()[0]?.model ?? 'unknown'}`,
  'Medians, and first to third quartile; ratios are taken round by round.',
]);
say(['Bundles', ...bundleSizes(), signerPackages()]);
const bed = await startBed();
try {
  const { admission: isAdmission, footprint: isFootprint, memory: isMemory, against } = options;
  if (isMemory) {
    for (const measurement of await measureRepositoryMemory(bed, rounds.repositories)) {
      show(measurement);
    }
  }
  const isAlone = options.both === true;
  if (!isAlone && !isAdmission && !isMemory) await measureImages(bed, rounds);
  if (!isAlone && !isAdmission && !isMemory && !isFootprint) await measureSigner(bed, rounds);
  if (!isAdmission && !isMemory && !isFootprint) await measureV2(bed, rounds);
  if (!isAlone && !isMemory && !isFootprint) {
    const measured =
      against === undefined
        ? measureAdmission(bed, rounds.admission)
        : measureAgainst(bed, against, rounds.admission);
    for (const measurement of await measured) show(measurement);
  }
  say([`${((performance.now() - started) / 1000).toFixed(0)} s`]);
} catch (error) {
  say([`The bench failed: ${error instanceof Error ? error.message : String(error)}`]);
  process.exitCode = 1;
} finally {
  await bed.stop();
}
