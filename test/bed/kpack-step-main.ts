#!/usr/bin/node
/**
 * Script, the only program of an image: stands in for the lifecycle of buildpacks and for kpack's
 * own steps, by the name that it is called by. What matters here it does for real. The image that it
 * exports is in the registry. The report is as the Cloud Native Buildpacks platform specification
 * says. build-waiter uses the same files as kpack's. It needs nothing but Node.
 *
 * https://github.com/buildpacks/spec/blob/main/platform.md#reporttoml-toml
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

const DOCKER = 'application/vnd.docker';
const MANIFEST = `${DOCKER}.distribution.manifest.v2+json`;
/** The first platform API whose reports have the length of the manifest. */
const SIZE_SINCE = 0.6;
/** Milliseconds: as often as kpack's build-waiter looks. */
const POLL_INTERVAL = 1_000;
const SOURCE_FILE = '/workspace/source.txt';
const BUILT_FILE = '/workspace/built.txt';

/** Flags of a step, as `-name=value` and as `--name value`, and what is no flag. */
interface StepArguments {
  readonly flags: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** Flags of kpack's rebase whose value is a word of its own. */
const SPACED = ['--run-image', '--last-built-image', '--report'];

const STEPS: Readonly<Record<string, (args: StepArguments) => void | Promise<void>>> = {
  'build-init': () => writeFileSync(SOURCE_FILE, `source of ${hostname()}\n`),
  analyzer: ({ flags }) => writeEmpty(flags.get('analyzed')),
  detector: ({ flags }) => {
    writeEmpty(flags.get('group'));
    writeEmpty(flags.get('plan'));
  },
  restorer: () => undefined,
  // No two builds are the same, as in life.
  builder: () => writeFileSync(BUILT_FILE, `${randomUUID()}: ${readFileSync(SOURCE_FILE, 'utf8')}`),
  exporter: async ({ flags, rest }) => {
    const content = readFileSync(BUILT_FILE);
    const layer = gzipSync(content);
    const config = Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Labels: { 'io.buildpacks.base': process.env['CNB_RUN_IMAGE'] ?? '' } },
        rootfs: { type: 'layers', diff_ids: [digestOf(content)] },
      }),
    );
    const digest = await push(rest, config, [layer]);
    const isSized = Number(process.env['CNB_PLATFORM_API'] ?? '0') >= SIZE_SINCE;
    report(flags.get('report'), rest, digest, isSized);
  },
  rebase: async ({ flags, rest }) => {
    const [repository = '', last = ''] = (flags.get('last-built-image') ?? '').split('@');
    const base = baseOf(repository);
    const manifest = JSON.parse(await textAt(`${base}/manifests/${last}`)) as ImageManifest;
    const config = JSON.parse(
      await textAt(`${base}/blobs/${manifest.config.digest}`),
    ) as ImageConfig;
    config.config.Labels['io.buildpacks.base'] = flags.get('run-image') ?? '';
    const layers = manifest.layers.map(async ({ digest }) =>
      Buffer.from(await (await call(`${base}/blobs/${digest}`)).arrayBuffer()),
    );
    const bytes = Buffer.from(JSON.stringify(config));
    report(flags.get('report'), rest, await push(rest, bytes, await Promise.all(layers)), true);
  },
  completion: ({ flags }) => {
    // kpack's own signer: where ours is, it has to be off.
    if (flags.has('notary-v1-url')) throw new Error('kpack was to sign as well');
    const metadata = { latestImage: hostname(), stackID: 'stand-in' };
    const message = gzipSync(JSON.stringify(metadata)).toString('base64');
    const file = process.env['TERMINATION_MESSAGE_PATH'];
    if (file !== undefined) writeFileSync(file, message);
  },
  'build-waiter': ({ flags }) => (flags.get('mode') === 'copy' ? copy(flags) : waitAndRun(flags)),
};

interface ImageManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

interface ImageConfig {
  readonly config: { readonly Labels: Record<string, string> };
}

function parse(words: readonly string[]): StepArguments {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? '';
    if (SPACED.includes(word)) {
      flags.set(word.replace(/^-+/, ''), words[(i += 1)] ?? '');
    } else if (word.startsWith('-') && word !== '--') {
      const [, name = '', value = ''] = /^-+([^=]+)=?(.*)$/s.exec(word) ?? [];
      flags.set(name, value);
    } else if (word !== '--') {
      rest.push(word);
    }
  }
  return { flags, rest };
}

/** kpack's waiter is one file, and so is this. */
function copy(flags: ReadonlyMap<string, string>): void {
  copyFileSync(process.argv[1] ?? '', flags.get('to') ?? '');
}

async function waitAndRun(flags: ReadonlyMap<string, string>): Promise<void> {
  const [waitFile, doneFile, errorFile] = ['wait-file', 'done-file', 'error-file'].map(
    (name) => flags.get(name) ?? '',
  );
  const isThere = (file = '') => existsSync(file) && statSync(file).size > 0;
  while (!isThere(waitFile)) {
    if (isThere(errorFile)) throw new Error(`${errorFile}: another step has failed`);
    await pause(POLL_INTERVAL);
  }
  // Split as kpack splits it: without quoting.
  const [program = '', ...args] = (flags.get('execute') ?? '').split(' ');
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  const isDone = error === undefined && status === 0;
  writeFileSync((isDone ? doneFile : errorFile) ?? '', isDone ? 'done' : `${program} failed`);
  if (!isDone) process.exitCode = 1;
}

function writeEmpty(file: string | undefined): void {
  if (file !== undefined) writeFileSync(file, '');
}

/** What was pushed, for whoever comes after. */
function report(
  file: string | undefined,
  tags: readonly string[],
  { digest, size }: { readonly digest: string; readonly size: number },
  isSized: boolean,
): void {
  console.log(`*** Images: ${tags.join(', ')} (${digest}, ${size} bytes)`);
  if (file === undefined) return;
  const lines = [
    '[build]',
    '',
    '[image]',
    `tags = ${JSON.stringify(tags)}`,
    `digest = ${JSON.stringify(digest)}`,
    ...(isSized ? [`manifest-size = ${size}`] : []),
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
}

/** Puts an image into the repository of each tag. */
async function push(
  tags: readonly string[],
  config: Buffer,
  layers: readonly Buffer[],
): Promise<{ readonly digest: string; readonly size: number }> {
  const describe = (mediaType: string, blob: Buffer) => ({
    mediaType,
    size: blob.length,
    digest: digestOf(blob),
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: describe(`${DOCKER}.container.image.v1+json`, config),
      layers: layers.map((layer) => describe(`${DOCKER}.image.rootfs.diff.tar.gzip`, layer)),
    }),
  );
  for (const tag of tags) {
    const [, repository = '', name = 'latest'] = /^(.+?)(?::([^:/]+))?$/.exec(tag) ?? [];
    const base = baseOf(repository);
    for (const blob of [config, ...layers]) {
      const upload = await call(`${base}/blobs/uploads/`, { method: 'POST' });
      const place = new URL(upload.headers.get('location') ?? '', upload.url);
      place.searchParams.set('digest', digestOf(blob));
      await call(place.href, { method: 'PUT', body: blob });
    }
    const headers = { 'content-type': MANIFEST };
    await call(`${base}/manifests/${name}`, { method: 'PUT', headers, body: manifest });
  }
  return { digest: digestOf(manifest), size: manifest.length };
}

function baseOf(repository: string): string {
  const [host, ...path] = repository.split('/');
  return `https://${host}/v2/${path.join('/')}`;
}

async function textAt(url: string): Promise<string> {
  return (await call(url)).text();
}

async function call(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('accept', MANIFEST);
  const response = await fetch(url, { ...init, headers });
  if (response.ok) return response;
  throw new Error(`${init.method ?? 'GET'} ${url}: ${response.status} ${await response.text()}`);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function main([, self = '', ...words]: readonly string[]): Promise<void> {
  const step = STEPS[basename(self)];
  if (step === undefined) throw new Error(`${self} is no step that is known here`);
  await step(parse(words));
}

main(process.argv).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
