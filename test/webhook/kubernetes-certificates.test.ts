/** Certificates that look after themselves, against the real API server. */
import { X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { succeed } from '../bed/command.ts';
import { demand } from '../bed/kube-client.ts';
import { readStoredTrust } from '../../src/webhook/authority.ts';
import { servedTo, startCertificateScene, wellAfter } from './certificate-scene.ts';
import { until } from './program.ts';

/** What is broken is well again after this, in milliseconds. */
const HEALED = 30_000;

const scene = await startCertificateScene(t, 3);
const { api, replicas } = scene;

t.test('replicas that start at once agree on one authority', async (t) => {
  await scene.configure();
  t.ok((await wellAfter(scene)) < HEALED);
  const { data = {} } = (await scene.secret()) ?? {};
  t.equal(readStoredTrust(data).authorities.length, 1);
  const [bundle = ''] = await scene.bundles();
  t.equal(Buffer.from(bundle, 'base64').toString(), Buffer.from(data['ca.crt'] ?? '', 'base64').toString());
});
