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
import { brokenImage, scene, SIGNING_SECRET, targetsKeyFile, type Scene } from './scene.ts';
import { tellStory, type Story } from './story.ts';

const GUN = 'registry.example.com/team/app';
const FIRST_BUILD = 'v0.17.2/02b-notary-registry-secrets';
/** kpack's rebase pod: the second build of the same Image. */
const SECOND_BUILD = 'v0.17.2/05b-rebase-notary';
const DIST = fileURLToPath(new URL('..', import.meta.url));

async function main(story: Story, bed: Bed): Promise<void> {
  const cli = bed.cli();
  await story.step(`notary init, key rotate, publish: ${GUN}`, async () => {
    await cli.init(GUN);
    await cli.rotateSnapshotToServer(GUN);
    await cli.publish(GUN);
  });
  const signingSecret = {
    ...(await targetsKeyFile(cli)),
    'notary-password.txt': `${cli.passphrase}\n`,
    'ca.crt': bed.authority.certificatePem,
  };
  const first = scene(FIRST_BUILD, bed, signingSecret);
  const second = scene(SECOND_BUILD, bed, signingSecret);

  const manifests = join(bed.directory, 'manifests');
  const webhook = await story.step(
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
    await rejectBrokenImage(story, webhook);
    const pod = await admit(story, webhook, first, true);
    const image = await build(story, bed, pod, first, 'hello');
    await signAndJudge(story, bed, pod, first, image);

    story.say('');
    const rebase = await admit(story, webhook, second, false);
    const rebased = await build(story, bed, rebase, second, 'hello, rebased');
    await signAndJudge(story, bed, rebase, second, rebased);

    story.say('');
    await failWithWrongPassword(story, bed, rebase, second, signingSecret);
  } finally {
    await webhook.stop();
  }
}

async function rejectBrokenImage(story: Story, webhook: Webhook): Promise<void> {
  const response = await story.step(
    'A broken Image is rejected, with field and fix',
    () => webhook.post('validate', { object: brokenImage(), username: 'dana' }),
    ({ status }) => (status?.message ?? '').split('; '),
  );
  assert.equal(response.allowed, false);
  assert.match(response.status?.message ?? '', /spec\.notary\.v1\.url/);
}

async function admit(
  story: Story,
  webhook: Webhook,
  { fixture }: Scene,
  showsDiff: boolean,
): Promise<PodManifest> {
  const { pod } = fixture;
  const response = await story.step(
    `kpack posts build pod ${pod.metadata.name}: patched by /mutate`,
    () => webhook.post('mutate', { object: pod }),
    ({ warnings = [] }) => warnings.map((warning) => `warning: ${warning}`),
  );
  assert.equal(response.allowed, true, response.status?.message);
  const patched = applyPatch(pod, response);
  if (showsDiff) story.diff(diffLines(dump(pod), dump(patched)));
  const verdict = await story.step('The patched pod passes /validate', () =>
    webhook.post('validate', { object: patched }),
  );
  assert.equal(verdict.allowed, true, verdict.status?.message);
  return patched;
}

/** Stands in for export or rebase: pushes an image, and reports it as the lifecycle does. */
function build(
  story: Story,
  bed: Bed,
  pod: PodManifest,
  { fixture }: Scene,
  content: string,
): Promise<PushedImage> {
  const tags = fixture.build.spec['tags'] as string[];
  return story.step(
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
  secrets: Scene['secrets'],
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
  story: Story,
  bed: Bed,
  pod: PodManifest,
  { fixture, secrets }: Scene,
  image: PushedImage,
): Promise<void> {
  const result = await story.step(
    'The injected container runs, as the pod declares it',
    () => runSigner(bed, pod, secrets),
    ({ stdout }) => stdout.trimEnd().split('\n'),
  );
  assert.equal(result.code, 0, result.stdout + result.stderr);

  const sha256 = image.digest.replace('sha256:', '');
  for (const tag of image.tags) {
    await story.step(
      `notary lookup ${tag}`,
      () => bed.cli('judge').lookup(GUN, tag),
      (found) => {
        assert.deepEqual(found, { sha256, length: image.size });
        return [`sha256:${sha256} ${image.size}: agrees`];
      },
    );
  }
  await story.step(
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
  await story.step(
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
  story: Story,
  bed: Bed,
  pod: PodManifest,
  { secrets }: Scene,
  signingSecret: Readonly<Record<string, string>>,
): Promise<void> {
  const wrong = new Map(secrets).set(SIGNING_SECRET, {
    ...signingSecret,
    'notary-password.txt': 'mistyped',
  });
  const result = await story.step(
    'With a wrong password the container fails, and kpack shows why',
    () => runSigner(bed, pod, wrong),
    ({ terminationMessage }) => [terminationMessage],
  );
  assert.equal(result.code, 1);
  assert.match(result.terminationMessage, /KEY_PASSWORD_WRONG/);
}

const story = tellStory(process.stdout);
const started = performance.now();
let bed: Bed | undefined;
try {
  bed = await story.step('Notary server and registry started, with a CA of their own', () =>
    startBed(),
  );
  await main(story, bed);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  story.say('');
  story.say(`Signed, moved, refused; notary and docker agree. ${seconds} s`);
} catch (error) {
  story.say('');
  story.say(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await bed?.stop();
}
