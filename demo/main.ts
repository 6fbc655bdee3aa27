/**
 * The main job on one machine: a build pod of real kpack goes through the webhook, and its image gets a
 * Notary v1 and a Notary Project signature.
 */
import { strict as assert } from 'node:assert';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { dump } from 'js-yaml';
import { startBed, type Bed } from '../test/bed/bed.ts';
import { runContainer, volumeDirectory, type ContainerResult } from '../test/bed/container.ts';
import { goTools } from '../test/bed/go-tools.ts';
import { pushImage, type PushedImage } from '../test/bed/image.ts';
import { notationCli, type NotationCli } from '../test/bed/notation-cli.ts';
import { applyPatch, startWebhook, type Webhook } from '../test/bed/webhook.ts';
import { type PodManifest, writeManifests } from '../test/support/build-fixture.ts';
import { makeV2Secret } from '../test/support/v2-secret.ts';
import { diffLines } from './diff.ts';
import {
  brokenImage,
  demoBuild,
  SIGNING_SECRET,
  targetsKeyFile,
  V2_SECRET,
  type DemoBuild,
} from './build.ts';
import { printSteps, type StepPrinter } from './step-printer.ts';

const REPOSITORY = 'team/app';
const FIRST_BUILD = 'v0.17.2/02b-notary-registry-secrets';
/** kpack's rebase pod: the second build of the same Image. */
const SECOND_BUILD = 'v0.17.2/05b-rebase-notary';
const DIST = fileURLToPath(new URL('..', import.meta.url));

/** What the demo plays on: servers of its own, and who judges what is signed there. */
interface Stage {
  readonly printer: StepPrinter;
  readonly bed: Bed;
  readonly gun: string;
  /** Judges Notary Project signatures; or why it cannot be had here. */
  readonly notation: NotationCli | { readonly missing: string };
}

async function main(printer: StepPrinter, bed: Bed): Promise<string> {
  const gun = `${bed.registry.host}/${REPOSITORY}`;
  const cli = bed.cli();
  await printer.step(`notary init, key rotate, publish: ${gun}`, async () => {
    await cli.init(gun);
    await cli.rotateSnapshotToServer(gun);
    await cli.publish(gun);
  });
  const { v2Secret, root } = makeV2Secret();
  const notation = await judgeOf(bed, root);
  const stage = { printer, bed, gun, notation };
  const signingSecret = {
    ...(await targetsKeyFile(cli)),
    'notary-password.txt': `${cli.passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  };
  const signing = { [SIGNING_SECRET]: signingSecret, [V2_SECRET]: v2Secret };
  const first = demoBuild(FIRST_BUILD, bed, signing);
  const second = demoBuild(SECOND_BUILD, bed, signing);

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
    const image = await build(stage, pod, first, 'hello');
    await signAndJudge(stage, pod, first, image);

    printer.say('');
    const rebase = await admit(printer, webhook, second, false);
    const rebased = await build(stage, rebase, second, 'hello, rebased');
    await signAndJudge(stage, rebase, second, rebased);

    printer.say('');
    await failWithWrongPassword(stage, rebase, second, signingSecret);
  } finally {
    await webhook.stop();
  }
  return 'missing' in notation ? 'notary and docker agree' : 'notary, docker and notation agree';
}

/** The notation CLI as a user has it who was given the root certificate; Go builds it once. */
async function judgeOf({ directory }: Bed, root: string): Promise<Stage['notation']> {
  // Without what Go downloads, the rest can be shown all the same.
  const tools = await goTools().catch((error: unknown) => ({ missing: String(error) }));
  if ('missing' in tools) return tools;
  const home = join(directory, 'notation-home');
  return notationCli({ program: tools.notation, home, roots: [root] });
}

async function rejectBrokenImage(printer: StepPrinter, webhook: Webhook): Promise<void> {
  const response = await printer.step(
    'A broken Image is rejected, with field and fix',
    () => webhook.post('validate', { object: brokenImage(), username: 'dana' }),
    ({ status }) => (status?.message ?? '').split('; '),
  );
  assert.equal(response.allowed, false);
  assert.match(response.status?.message ?? '', /v2\.secretRef.*spec\.notary\.v1\.url/);
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
  { printer, bed, gun }: Stage,
  pod: PodManifest,
  { fixture }: DemoBuild,
  content: string,
): Promise<PushedImage> {
  const tags = fixture.build.spec['tags'] as string[];
  return printer.step(
    'An image is pushed, and report.toml written',
    async () => {
      const names = tags.map((tag) => (tag === gun ? 'latest' : tag.slice(gun.length + 1)));
      const image = await pushImage({
        registryUrl: bed.registry.url,
        repository: REPOSITORY,
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
  { printer, bed, gun, notation }: Stage,
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
      () => bed.cli('judge').lookup(gun, tag),
      (found) => {
        assert.deepEqual(found, { sha256, length: image.size });
        return [`sha256:${sha256} ${image.size}: agrees`];
      },
    );
  }
  await printer.step(
    'notary list',
    () => bed.cli('judge').list(gun),
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
    () => bed.docker('docker-judge').trustInspect(gun),
    (signed) => {
      for (const tag of image.tags) {
        assert.equal(signed.find((entry) => entry.tag === tag)?.sha256, sha256);
      }
      const builds = fixture.build.metadata.name;
      return [`${image.tags.join(', ')} of ${builds}: signed, agrees`];
    },
  );
  if ('missing' in notation) return printer.say(`notation verify is left out: ${notation.missing}`);
  await printer.step(
    'notation verify',
    () => notation.verify(`${gun}@${image.digest}`),
    ({ code, stdout, stderr }) => {
      assert.equal(code, 0, stderr);
      return stdout.trimEnd().split('\n');
    },
  );
}

async function failWithWrongPassword(
  { printer, bed }: Stage,
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
  const verdict = await main(printer, bed);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  printer.say('');
  printer.say(`Signed, moved, refused; ${verdict}. ${seconds} s`);
} catch (error) {
  printer.say('');
  printer.say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await bed?.stop();
}
