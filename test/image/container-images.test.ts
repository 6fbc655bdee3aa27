import { once } from 'node:events';
import { chmod, cp, lstat, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { SIGNER_COMMAND } from '../../src/shared/names.ts';
import { VERSION } from '../../src/shared/version.ts';
import { createAuthority } from '../bed/authority.ts';
import { startBed } from '../bed/bed.ts';
import { spawnBound } from '../bed/child.ts';
import {
  buildImages,
  IMAGE_NAMES,
  needImages,
  type BuiltImage,
  type ImageName,
} from '../bed/container-images.ts';
import { prepareContainer, runImage } from '../bed/image-container.ts';
import { unpackImage, type UnpackedImage } from '../bed/oci-archive.ts';
import { freePort } from '../bed/port.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml } from '../support/signer-run.ts';

needImages(t);

/** The user of the images, who owns nothing in them. */
const USER = 65532;

let directory: string;
let built: Record<ImageName, BuiltImage>;
let images: Record<ImageName, UnpackedImage>;
t.before(async () => {
  directory = t.testdir();
  built = await buildImages({ directory: join(directory, 'built') });
  const unpack = (name: ImageName) => unpackImage(built[name].archive, join(directory, name));
  images = { webhook: await unpack('webhook'), signer: await unpack('signer') };
});

t.test('two builds in different directories give the same digests', async (t) => {
  const project = projectDirectory();
  const context = join(directory, 'another clone');
  const files = [
    ...['Containerfile', '.dockerignore', 'LICENSE', 'image/start.cjs', 'image/code-cache.cjs'],
    ...IMAGE_NAMES.flatMap((name) => [`dist/${name}.cjs`, `dist/${name}.cjs.LEGAL.txt`]),
  ];
  for (const file of files) {
    const copy = join(context, file);
    await cp(join(project, file), copy);
    // As another umask and another day would have it.
    await chmod(copy, 0o600);
    await utimes(copy, 1e9, 1e9);
  }
  const again = await buildImages({ directory: join(directory, 'again'), context });
  for (const name of IMAGE_NAMES) {
    t.match(built[name].digest, /^sha256:[0-9a-f]{64}$/);
    t.equal(again[name].digest, built[name].digest, name);
    t.not(again[name].archive, built[name].archive);
  }
  t.not(built.webhook.digest, built.signer.digest);
});

t.test('the archives hold what was built, under its name', async (t) => {
  for (const name of IMAGE_NAMES) {
    t.equal(images[name].digest, built[name].digest);
    t.equal(images[name].reference, `localhost/kpack-notary/${name}:${VERSION}`);
    t.equal(built[name].reference, images[name].reference);
  }
});

t.test('what the images say of themselves', async (t) => {
  for (const name of IMAGE_NAMES) {
    const { created, config } = images[name].config;
    t.equal(created, '1970-01-01T00:00:00Z');
    t.equal(config.User, `${USER}:${USER}`, 'a number, so that runAsNonRoot can be checked');
    t.same(config.Entrypoint, ['node', `/app/${name}.cjs`]);
    t.equal(config.Cmd, undefined);
    t.same(config.Env, ['PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin'], 'no NODE_OPTIONS');
    const label = (key: string) => config.Labels?.[`org.opencontainers.image.${key}`];
    t.equal(label('title'), `kpack-notary ${name}`);
    t.equal(label('version'), VERSION);
    t.equal(label('licenses'), 'Apache-2.0');
    t.match(Object.keys(config.Labels ?? {}).sort(), /^org\.opencontainers\.image\./);
  }
});

t.test(
  'only the program is added to the base, and nobody but root can change anything',
  async (t) => {
    for (const name of IMAGE_NAMES) {
      const { root } = images[name];
      t.same((await readdir(join(root, 'app'))).sort(), [
        'LICENSE',
        'program.cache',
        'program.cjs',
        'program.cjs.LEGAL.txt',
        `${name}.cjs`,
      ]);
      const paths = await readdir(root, { recursive: true });
      t.notOk(paths.some((path) => path.includes('node_modules')));
      for (const path of ['.', ...paths]) {
        const { mode, uid, gid } = await lstat(join(root, path));
        const isPlain = uid === 0 && gid === 0 && (mode & 0o7022) === 0;
        if (!isPlain) t.fail(`${path} has mode ${mode.toString(8)} and belongs to ${uid}:${gid}`);
      }
      t.equal((await lstat(join(root, 'app/program.cjs'))).mode & 0o7777, 0o444);
    }
  },
);

t.test('the programs run as they are, on a read-only root', async (t) => {
  for (const name of IMAGE_NAMES) {
    const image = images[name];
    const { code, stdout, stderr } = await runImage({ image, args: ['--help'], directory });
    t.equal(code, 0, stderr);
    t.match(stdout, `usage: ${name} `);
  }
  const { stdout } = await runImage({ image: images.webhook, args: ['explain'], directory });
  t.equal(stdout, '', 'arguments reach the program');
});

t.test('the command of the injected container is one that the image has', async (t) => {
  const run = { image: images.signer, command: SIGNER_COMMAND, args: ['--help'], directory };
  t.match(await runImage(run), { code: 0, stdout: /^usage: signer / });
});

t.test('the code caches are accepted by the node of the image', async (t) => {
  for (const name of IMAGE_NAMES) {
    const script = `const { compile, readCodeCache } = require('/app/${name}.cjs');
      const cachedData = readCodeCache();
      const { cachedDataRejected } = compile(cachedData);
      console.log(JSON.stringify({ cachedDataRejected, size: cachedData.length }))`;
    const command = ['node', '--eval', script];
    const { stdout, stderr } = await runImage({ image: images[name], command, directory });
    t.equal(stderr, '');
    const { cachedDataRejected, size } = JSON.parse(stdout) as Record<string, unknown>;
    t.equal(cachedDataRejected, false, name);
    t.ok(Number(size) > 50_000, `it holds functions: ${String(size)} bytes`);
  }
});

t.test('the signer signs from its image', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/image';
  const owner = await initRepository(bed, gun);
  const sha256 = '5'.repeat(64);
  const mounts = {
    '/var/notary-sign/key': await filesOf('key', await secretOf(bed, owner)),
    '/var/report': await filesOf('report', {
      'report.toml': reportToml([`${gun}:latest`], sha256, 777),
    }),
  };
  const { code, stdout } = await runImage({
    image: images.signer,
    command: SIGNER_COMMAND,
    args: [
      '--report=/var/report/report.toml',
      `--notary-url=${bed.notary.url}`,
      '--key-dir=/var/notary-sign/key',
    ],
    mounts,
    directory,
  });
  t.equal(code, 0, stdout);
  t.match(stdout, `signed: ${gun}:latest`);
  t.match(await bed.cli('judge').list(gun), [{ tag: 'latest', sha256, length: 777 }]);
});

t.test('the webhook serves from its image until SIGTERM', async (t) => {
  const authority = await createAuthority(join(directory, 'authority'));
  const { certificatePem, keyPem } = await authority.issue({ name: 'webhook' });
  const port = await freePort();
  const container = await prepareContainer({
    image: images.webhook,
    args: [
      ...['--tls-cert=/tls/tls.crt', '--tls-key=/tls/tls.key', '--manifests=/manifests'],
      ...['--signer-image=registry.example.test/signer:1', `--port=${port}`, '--metrics-port=0'],
    ],
    // It is to end at once, not after the connections that a cluster may still send.
    env: { KPACK_NOTARY_SHUTDOWN_DELAY: '0' },
    mounts: {
      '/tls': await filesOf('tls', { 'tls.crt': certificatePem, 'tls.key': keyPem }),
      '/manifests': await filesOf('manifests', {}),
    },
    directory,
  });
  t.teardown(() => container.remove());
  const program = spawnBound(container.program);
  const ended = once(program, 'exit');
  let output = '';
  const ready = new Promise<void>((resolve) => {
    program.stdout.on('data', (text) => {
      output += String(text);
      if (output.includes('"ready"')) resolve();
    });
  });
  await Promise.race([ready, ended]);
  t.match(output, '"ready"');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = { ca: authority.certificatePem, agent: false };
    get(`https://127.0.0.1:${port}/healthz`, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once('error', reject);
  });
  t.equal(status, 200);
  program.kill('SIGTERM');
  t.same(await ended, [0, null]);
});

t.test('another platform is built without running anything of it', async (t) => {
  const arm = await buildImages({
    directory: join(directory, 'arm'),
    platform: 'linux/arm64',
    args: { CODE_CACHE: 'plain', REVISION: 'abc', SOURCE: 'https://git.example.test/it' },
  });
  const { config, root } = await unpackImage(arm.signer.archive, join(directory, 'arm-signer'));
  t.equal(config.architecture, 'arm64');
  t.notOk((await readdir(join(root, 'app'))).includes('program.cache'));
  t.match(config.config.Labels, {
    'org.opencontainers.image.revision': 'abc',
    'org.opencontainers.image.source': 'https://git.example.test/it',
  });
});

/** A directory that the user of the images can read. */
async function filesOf(name: string, files: Record<string, string>): Promise<string> {
  const place = join(directory, name);
  await mkdir(place);
  for (const [file, content] of Object.entries(files)) await writeFile(join(place, file), content);
  return place;
}
