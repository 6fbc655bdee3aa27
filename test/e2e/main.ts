/** Script: the whole product in a real cluster, told as a story. Exit code 1 where anything is wrong. */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImages } from '../bed/container-images.ts';
import { ensureInstalled, NODE_PARTS } from '../bed/installed.ts';
import { runIsolated } from '../bed/isolation.ts';
import { CLUSTER_PROGRAMS, ensurePrograms } from '../bed/kubernetes-programs.ts';

await ensureInstalled([...NODE_PARTS]);
await ensurePrograms(CLUSTER_PROGRAMS);
const directory = await mkdtemp(join(tmpdir(), 'e2e-'));
const t = performance.now();
const images = await buildImages({ directory });
console.log('images', performance.now() - t, images);
console.log(
  await runIsolated(join(import.meta.dirname, 'story-main.js'), [
    images.webhook.archive,
    images.signer.archive,
  ]),
);
