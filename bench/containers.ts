/**
 * What the images take: their sizes, and start and memory of the programs as containers, with the code
 * cache of their image and without, against bare Node in the same image.
 */
import { chown, copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Bed } from '../test/bed/bed.ts';
import { startChild } from '../test/bed/child.ts';
import { succeed } from '../test/bed/command.ts';
import { buildImages, type ImageName } from '../test/bed/container-images.ts';
import {
  prepareContainer,
  type ImageContainerOptions,
  type PreparedContainer,
} from '../test/bed/image-container.ts';
import { describeSize, unpackImage, type UnpackedImage } from '../test/bed/oci-archive.ts';
import { onFreePort } from '../test/bed/port.ts';
import { interleave } from './interleaving.ts';
import { peakMemory, peakOf } from './process-figures.ts';
import { bundle } from './programs.ts';
import { startTimedServer, untilRequest } from './signer-start.ts';
import { createSigningRepository } from './signing-repository.ts';
import type { Measurement } from './table.ts';

/** Peak memory that is promised of the programs as containers, in MiB. */
const MOST_MEMORY = { signer: 64, webhook: 96 };
/** The program of an image without its start: compiled anew. */
const UNCACHED = '/app/program.cjs';
/** The user of the images. */
const USER = 65532;
const GUN = 'registry.example.com/containers/app';

export type Images = Readonly<Record<ImageName, UnpackedImage>>;

/** Builds both images, and unpacks them into the bed's directory. */
export async function containerImages({ directory }: Bed): Promise<Images> {
  const place = join(directory, 'images');
  const built = await buildImages({ directory: place });
  return {
    webhook: await unpackImage(built.webhook.archive, join(place, 'webhook')),
    signer: await unpackImage(built.signer.archive, join(place, 'signer')),
  };
}

/** The images, a line each: all of it, and what is not the base. */
export function imageSizes({ webhook, signer }: Images): string[] {
  return Object.entries({ webhook, signer }).map(
    ([name, { layers, digest }]) =>
      `  ${name.padEnd(35)} ${describeSize(layers)}; beside the base ` +
      `${describeSize(layers.slice(1))}; ${digest}`,
  );
}

/** Start and peak memory of containers. */
export async function measureContainers(
  bed: Bed,
  images: Images,
  rounds: number,
): Promise<readonly Measurement[]> {
  const webhook = await webhookSetup(bed, images.webhook);
  const signer = await signerSetup(bed, images.signer);
  const values = await interleave(rounds, {
    signer: () => signer.run('/app/signer.cjs'),
    signerUncached: () => signer.run(UNCACHED),
    webhook: () => webhook('/app/webhook.cjs'),
    webhookUncached: () => webhook(UNCACHED),
    bareNode: () => signer.run(undefined),
  }).finally(() => signer.stop());
  const subjects = (figure: keyof Figures) =>
    (
      [
        ['signer', 'signer', WHAT.signer[figure]],
        ['signer, no code cache', 'signerUncached', 'the same, compiled as it starts'],
        ['webhook', 'webhook', WHAT.webhook[figure]],
        ['webhook, no code cache', 'webhookUncached', 'the same, compiled as it starts'],
        ['bare node', 'bareNode', WHAT.bareNode[figure]],
      ] as const
    ).map(([name, key, what]) => ({ name, what, values: values[key].map((run) => run[figure]) }));
  const common = {
    better: 'lower',
    ratios: [
      ['signer', 'bare node'],
      ['signer', 'signer, no code cache'],
      ['webhook', 'bare node'],
      ['webhook', 'webhook, no code cache'],
    ],
  } as const;
  return [
    { title: 'Start of containers', unit: 'ms', subjects: subjects('start'), ...common },
    {
      title: 'Peak resident memory of containers',
      unit: 'MiB',
      subjects: subjects('peak'),
      ...common,
      limits: MOST_MEMORY,
    },
  ];
}

/** What is measured of a container: milliseconds from spawning its runtime, and MiB. */
interface Figures {
  readonly start: number;
  readonly peak: number;
}

const WHAT = {
  signer: { start: 'to its first request', peak: 'signs one tag' },
  webhook: { start: 'until it is ready', peak: 'until it is ready' },
  bareNode: { start: 'node -e 0 in the image of the signer, to its exit', peak: 'node -e 0' },
} satisfies Record<string, Record<keyof Figures, string>>;

async function signerSetup(bed: Bed, image: UnpackedImage) {
  const repository = await createSigningRepository(bed, GUN);
  const server = await startTimedServer(bed.authority);
  // What reports the peak, and its report.
  const probe = join(bed.directory, 'container-probe');
  await mkdir(probe);
  await copyFile(await bundle('exit-report', bed.directory), join(probe, 'exit-report.cjs'));
  await give(probe);
  const env = { EXIT_REPORT: '/probe/report' };
  const reporting = ['node', '--require', '/probe/exit-report.cjs'];
  const signing = async (notaryUrl: string) => {
    const { args = [], directory } = await repository.signer(repository.newTargets(1), {
      notaryUrl,
    });
    await give(directory);
    return { args: args.slice(1), mounts: { [directory]: directory, '/probe': probe } };
  };
  const common = { image, directory: bed.directory };
  return {
    stop: () => server.stop(),
    /** @param file the signer; undefined: no program at all */
    run: async (file: string | undefined): Promise<Figures> => {
      if (file === undefined) {
        const start = await inContainer({ ...common, command: ['node', '-e', '0'] }, timed);
        const mounts = { '/probe': probe };
        await inContainer({ ...common, env, mounts, command: [...reporting, '-e', '0'] }, timed);
        return { start, peak: peakOf(await readFile(join(probe, 'report'), 'utf8')) };
      }
      const start = await inContainer(
        { ...common, command: ['node', file], ...(await signing(server.url)) },
        ({ program }) => untilRequest(server, program),
      );
      await inContainer(
        { ...common, env, command: [...reporting, file], ...(await signing(bed.notary.url)) },
        timed,
      );
      return { start, peak: peakOf(await readFile(join(probe, 'report'), 'utf8')) };
    },
  };
}

async function webhookSetup({ authority, directory }: Bed, image: UnpackedImage) {
  const { certificateFile, keyFile } = await authority.issue({ name: 'container' });
  const place = join(directory, 'container-webhook');
  await mkdir(join(place, 'manifests'), { recursive: true });
  await copyFile(certificateFile, join(place, 'tls.crt'));
  await copyFile(keyFile, join(place, 'tls.key'));
  await give(place);
  return (file: string): Promise<Figures> =>
    onFreePort((port) =>
      inContainer(
        {
          image,
          directory,
          command: ['node', file],
          args: [
            ...['--tls-cert=/given/tls.crt', '--tls-key=/given/tls.key', `--port=${port}`],
            ...['--manifests=/given/manifests', '--signer-image=registry.example.com/signer:1'],
            '--metrics-port=0',
          ],
          mounts: { '/given': place },
        },
        async (container) => {
          const started = performance.now();
          const ready = (output: string) => output.includes('"ready"');
          await startChild({ ...container.program, ready });
          const start = performance.now() - started;
          return { start, peak: peakMemory(await container.pid()) };
        },
      ),
    );
}

/** Runs a container, and ends it. */
async function inContainer<Value>(
  options: ImageContainerOptions,
  use: (container: PreparedContainer) => Promise<Value>,
): Promise<Value> {
  const container = await prepareContainer(options);
  try {
    return await use(container);
  } finally {
    await container.remove();
  }
}

/** Milliseconds that it takes from spawn to exit. */
async function timed({ program }: PreparedContainer): Promise<number> {
  const started = performance.now();
  await succeed(program);
  return performance.now() - started;
}

/** Makes files those of the user of the images. */
async function give(directory: string): Promise<void> {
  const files = await readdir(directory, { recursive: true });
  for (const file of ['.', ...files]) await chown(join(directory, file), USER, USER);
}
