/**
 * Measures the signer and the webhook against baselines, in one run, taking turns. `--quick` has
 * few rounds: it shows that everything runs, and its figures say little.
 */
import { availableParallelism, cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { startBed, type Bed } from '../test/bed/bed.ts';
import { measureAdmission } from './admission.ts';
import { bundleSizes, measureSignerMemory } from './footprint.ts';
import { measureSignerStart } from './signer-start.ts';
import { measureSigning } from './signing.ts';
import { createSigningRepository } from './signing-repository.ts';
import { tableOf, type Measurement } from './table.ts';

const GUN = 'registry.example.com/team/app';
const FULL = { start: 21, signing: 21, memory: 7, admission: { rounds: 9, seconds: 0.8 } };
const QUICK = { start: 3, signing: 3, memory: 2, admission: { rounds: 2, seconds: 0.3 } };

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n\n`);
}

function show(measurement: Measurement): void {
  say(tableOf(measurement));
}

async function measureAll(bed: Bed, rounds: typeof FULL): Promise<void> {
  const repository = await createSigningRepository(bed, GUN);
  show(await measureSignerStart(bed, repository, rounds.start));
  show(await measureSigning(repository, rounds.signing));
  show(await measureSignerMemory(bed, repository, rounds.memory));
  for (const measurement of await measureAdmission(bed, rounds.admission)) show(measurement);
}

const isQuick = process.argv.slice(2).includes('--quick');
const started = performance.now();
say([
  `Node ${process.version}, ${availableParallelism()} cores: ${cpus()[0]?.model ?? 'unknown'}`,
  'Medians, and first to third quartile; ratios are taken round by round.',
]);
say(['Bundles', ...bundleSizes()]);
const bed = await startBed();
try {
  await measureAll(bed, isQuick ? QUICK : FULL);
  say([`${((performance.now() - started) / 1000).toFixed(0)} s`]);
} catch (error) {
  say([`The bench failed: ${error instanceof Error ? error.message : String(error)}`]);
  process.exitCode = 1;
} finally {
  await bed.stop();
}
