/**
 * Script: the whole product in a real cluster, told as a report. Installs and builds what it needs.
 * Exit code 1 where anything is not as it must be. With names of checks as arguments, those alone
 * (signing, v2, overhead, rollout, kill, absence), between cold start and uninstall.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../bed/cleanup.ts';
import { buildImages, whyNoImages } from '../bed/container-images.ts';
import { goTools } from '../bed/go-tools.ts';
import { ensureInstalled, NODE_PARTS, type Part } from '../bed/installed.ts';
import { runIsolated, whyNotIsolated } from '../bed/isolation.ts';
import { CLUSTER_PROGRAMS, ensurePrograms } from '../bed/kubernetes-programs.ts';

const PARTS: readonly Part[] = [
  ...([
    'notary',
    'notary-server',
    'notary-signer',
    'docker-registry',
    'docker',
    'openssl',
  ] as const),
  ...NODE_PARTS,
];

async function main(checks: readonly string[]): Promise<void> {
  const begin = performance.now();
  const reason = whyNotIsolated() ?? whyNoImages();
  if (reason !== undefined) throw new Error(`There can be no cluster here: ${reason}`);
  await ensureInstalled(PARTS);
  await ensurePrograms(CLUSTER_PROGRAMS);
  const tools = await goTools();
  if ('missing' in tools) throw new Error(tools.missing);
  const directory = await mkdtemp(join(tmpdir(), 'kpack-notary-e2e-'));
  atExit(() => rmSync(directory, { recursive: true, force: true }));
  const { webhook, signer } = await buildImages({ directory });
  for (const { reference, digest } of [webhook, signer]) console.log(`${reference} ${digest}`);
  const script = join(import.meta.dirname, 'in-cluster-main.js');
  const { code, left } = await runIsolated(script, [webhook.archive, signer.archive, ...checks]);
  for (const what of left) console.log(`NOT OK left behind: ${what}`);
  if (left.length === 0) console.log('nothing is left behind: no process, mount, group or file');
  console.log(`${((performance.now() - begin) / 1000).toFixed(0)} s in all`);
  process.exitCode = code !== 0 || left.length > 0 ? 1 : 0;
}

await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
