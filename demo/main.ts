/** The main job on one machine: a build pod of real kpack goes through the webhook and gets signed. */
import { strict as assert } from 'node:assert';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { dump } from 'js-yaml';
import { startBed, type Bed } from '../test/bed/bed.ts';
import { runContainer, volumeDirectory, type ContainerResult } from '../test/bed/container.ts';
import { pushImage, type PushedImage } from '../test/bed/image.ts';
import { applyPatch, startWebhook, type Webhook } from '../test/bed/webhook.ts';
import { type PodManifest, writeManifests } from '../test/support/build-fixture.ts';
import { diffLines } from './diff.ts';
import { brokenImage, demoBuild, SIGNING_SECRET, targetsKeyFile, type DemoBuild } from './build.ts';
import { printSteps, type StepPrinter } from './step-printer.ts';

const GUN = 'registry.example.com/team/app';
const FIRST_BUILD = 'v0.17.2/02b-notary-registry-secrets';
/** kpack's rebase pod: the second build of the same Image. */
const SECOND_BUILD = 'v0.17.2/05b-rebase-notary';
const DIST = fileURLToPath(new URL('..', import.meta.url));

async function main(printer: StepPrinter, bed: Bed): Promise<void> {
  const cli = bed.cli();
  await printer.step(`notary init, key rotate, publish: ${GUN}`, async () => {
    await cli.init(GUN);
    await cli.rotateSnapshotToServer(GUN);
    await cli.publish(GUN);
  });
  const signingSecret = {
    ...(await targetsKeyFile(cli)),
    'notary-password.txt': `${cli.passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  };
  const first = demoBuild(FIRST_BUILD, bed, signingSecret);
  const second = demoBuild(SECOND_BUILD, bed, signingSecret);

  const manifests = join(bed.directory, 'manifests');
  const webhook = await printer.step(
    'Webhook started over TLS, on a directory of manifests',
    async () => {
      await writeManifests(manifests, [...second.manifests, ...first.manifests]);
      return startWebhook({
        program: join(DIST, 'webhook.cjs'),
        directory: bed.directory,
        authority: bed.authority,
        args: [
          `--manifests=${manifests}`,
          '--signer-image=registry.example.com/kpack-notary/signer:demo',
        ],
      });
    },
  );
  try {
    await rejectBrokenImage(printer, webhook);
    const pod = await admit(printer, webhook, first, true);
    const image = await build(printer, bed, pod, first, 'hello');
    await signAndJudge(printer, bed, pod, first, image);

    printer.say('');
    const rebase = await admit(printer, webhook, second, false);
    const rebased = await build(printer, bed, rebase, second, 'hello, rebased');
    await signAndJudge(printer, bed, rebase, second, rebased);

    printer.say('');
    await failWithWrongPassword(printer, bed, rebase, second, signingSecret);
  } finally {
    await webhook.stop();
  }
}

async function rejectBrokenImage(printer: StepPrinter, webhook: Webhook): Promise<void> {
  const response = await printer.step(
    'A broken Image is rejected, with field and fix',
    () => webhook.post('validate', { object: brokenImage(), username: 'dana' }),
    ({ status }) => (status?.message ?? '').split('; '),
  );
  assert.equal(response.allowed, false);
  assert.match(response.status?.message ?? '', /spec\.notary\.v1\.url/);
}

async function admit(
  printer: StepPrinter,
  webhook: Webhook,
  { fixture }: DemoBuild,
  showsDiff: boolean,
): Promise<PodManifest> {
  const { pod } = fixture;
  const response = await printer.step(
    `kpack posts build pod ${pod.metadata.name}: patched by /mutate`,
    () => webhook.post('mutate', { object: pod }),
    ({ warnings = [] }) => warnings.map((warning) => `warning: ${warning}`),
  );
  assert.equal(response.allowed, true, response.status?.message);
  const patched = applyPatch(pod, response);
  if (showsDiff) printer.diff(diffLines(dump(pod), dump(patched)));
  const verdict = await printer.step('The patched pod passes /validate', () =>
    webhook.post('validate', { object: patched }),
  );
  assert.equal(verdict.allowed, true, verdict.status?.message);
  return patched;
}

/** Stands in for export or rebase: pushes an image, and reports it as the lifecycle does. */
function build(
  printer: StepPrinter,
  bed: Bed,
  pod: PodManifest,
  { fixture }: DemoBuild,
  content: string,
): Promise<PushedImage> {
  const tags = fixture.build.spec['tags'] as string[];
  return printer.step(
    'An image is pushed, and report.toml written',
    async () => {
      const names = tags.map((tag) => (tag === GUN ? 'latest' : tag.slice(GUN.length + 1)));
      const image = await pushImage({
        registryUrl: bed.registry.url,
        repository: 'team/app',
        tags: names,
        content,
      });
      const report = volumeDirectory(join(bed.directory, pod.metadata.name), 'report-dir');
      await mkdir(report, { recursive: true });
      await writeFile(
        join(report, 'report.toml'),
        `[image]\ntags = ${JSON.stringify(tags)}\ndigest = "${image.digest}"\n` +
          `manifest-size = ${image.size}\n`,
      );
      return image;
    },
    ({ digest, size }) => [`${digest}, ${size} bytes`],
  );
}

function runSigner(
  bed: Bed,
  pod: PodManifest,
  secrets: DemoBuild['secrets'],
): Promise<ContainerResult> {
  return runContainer({
    pod,
    name: 'notary-sign',
    secrets,
    directory: join(bed.directory, pod.metadata.name),
    image: { '/app': DIST.replace(/\/$/, '') },
  });
}

async function signAndJudge(
  printer: StepPrinter,
  bed: Bed,
  pod: PodManifest,
  { fixture, secrets }: DemoBuild,
  image: PushedImage,
): Promise<void> {
  const result = await printer.step(
    'The injected container runs, as the pod declares it',
    () => runSigner(bed, pod, secrets),
    ({ stdout }) => stdout.trimEnd().split('\n'),
  );
  assert.equal(result.code, 0, result.stdout + result.stderr);

  const sha256 = image.digest.replace('sha256:', '');
  for (const tag of image.tags) {
    await printer.step(
      `notary lookup ${tag}`,
      () => bed.cli('judge').lookup(GUN, tag),
      (found) => {
        assert.deepEqual(found, { sha256, length: image.size });
        return [`sha256:${sha256} ${image.size}: agrees`];
      },
    );
  }
  await printer.step(
    'notary list',
    () => bed.cli('judge').list(GUN),
    (listed) => {
      for (const tag of image.tags) {
        const found = listed.filter((entry) => entry.tag === tag);
        assert.deepEqual(found, [{ tag, sha256, length: image.size, role: 'targets' }]);
      }
      return listed.map((entry) => `${entry.tag} ${entry.sha256.slice(0, 12)}… ${entry.role}`);
    },
  );
  await printer.step(
    'docker trust inspect',
    () => bed.docker('docker-judge').trustInspect(GUN),
    (signed) => {
      for (const tag of image.tags) {
        assert.equal(signed.find((entry) => entry.tag === tag)?.sha256, sha256);
      }
      const builds = fixture.build.metadata.name;
      return [`${image.tags.join(', ')} of ${builds}: signed, agrees`];
    },
  );
}

async function failWithWrongPassword(
  printer: StepPrinter,
  bed: Bed,
  pod: PodManifest,
  { secrets }: DemoBuild,
  signingSecret: Readonly<Record<string, string>>,
): Promise<void> {
  const wrong = new Map(secrets).set(SIGNING_SECRET, {
    ...signingSecret,
    'notary-password.txt': 'mistyped',
  });
  const result = await printer.step(
    'With a wrong password the container fails, and kpack shows why',
    () => runSigner(bed, pod, wrong),
    ({ terminationMessage }) => [terminationMessage],
  );
  assert.equal(result.code, 1);
  assert.match(result.terminationMessage, /KEY_PASSWORD_WRONG/);
}

const printer = printSteps(process.stdout);
const started = performance.now();
let bed: Bed | undefined;
try {
  bed = await printer.step('Notary server and registry started, with a CA of their own', () =>
    startBed(),
  );
  await main(printer, bed);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  printer.say('');
  printer.say(`Signed, moved, refused; notary and docker agree. ${seconds} s`);
} catch (error) {
  printer.say('');
  printer.say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await bed?.stop();
}
