/** Script, run isolated: the story itself. */
import { createAuthority } from '../bed/authority.ts';
import { demand } from '../bed/kube-client.ts';
import { isolated } from '../bed/isolation.ts';
import { DEPLOYMENT, NAMESPACE, rolledOut, writeKustomization } from './installation.ts';
import { lastWords } from './logs.ts';
import { startScene } from './scene.ts';
import { signingChapter } from './signing-chapter.ts';
import { startStory } from './story.ts';
import { join } from 'node:path';

const began: string[] = [];
const story = startStory(() => lastWords(scene, began));
story.chapter('A cluster of one node, a Notary server, two registries');
const [, webhookImage = '', signerImage = ''] = process.argv.slice(2);
const scene = await startScene(isolated(process.argv.slice(2)));
story.tell('the cluster is ready');
const { cluster } = scene;
for (const archive of [webhookImage, signerImage]) await cluster.containerd.importImage(archive);
story.tell(
  `images: ${(await cluster.containerd.images()).filter((n) => n.includes('localhost')).join(', ')}`,
);

await story.check('kubectl apply -k deploy/', async () => {
  const directory = await writeKustomization(cluster, ['certificate-files']);
  const auth = await createAuthority(join(cluster.directory, 'tmp-authority'));
  const service = `${DEPLOYMENT}.${NAMESPACE}.svc`;
  const cert = await auth.issue({ name: 'webhook', hosts: [service] });
  await scene.namespace(NAMESPACE);
  demand(
    await cluster.api.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'kpack-notary-tls', namespace: NAMESPACE },
      type: 'kubernetes.io/tls',
      data: {
        'tls.crt': Buffer.from(cert.certificatePem).toString('base64'),
        'tls.key': Buffer.from(cert.keyPem).toString('base64'),
      },
    }),
  );
  await cluster.kubectl('apply', '-k', directory);
  const caBundle = Buffer.from(auth.certificatePem).toString('base64');
  for (const kind of ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration']) {
    const ref = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata: { name: 'kpack-notary' },
    };
    const got = demand(await cluster.api.get<any>(ref));
    for (const w of got.webhooks) w.clientConfig.caBundle = caBundle;
    demand(await cluster.api.update(got));
  }
  await rolledOut(cluster);
  return 'rolled out';
});
await signingChapter(scene, story, (namespace) => began.push(namespace));
console.log(`\n${story.held} things held, ${story.failures.length} did not`);
process.exit(story.failures.length > 0 ? 1 : 0);
