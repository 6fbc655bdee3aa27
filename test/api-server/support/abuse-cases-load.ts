/** Attempts to make the webhook work or read without end. */
import { refused, type Abuse } from './abuse-case.ts';
import { container } from '../../support/pod.ts';
import { P } from '../../support/build-fixture.ts';

const manyNames = (count: number) => Array.from({ length: count }, (_, i) => `x${i}`);

export const LOAD_CASES: readonly Abuse[] = [
  {
    name: 'a service account that names 201 Secrets',
    prepare: ({ serviceAccount }) => {
      serviceAccount.secrets = manyNames(201).map((name) => ({ name }));
    },
    play: ({ cluster, pod }) => cluster.post(pod),
    ends: refused('SECRETS_TOO_MANY', /names more than 200 Secrets/),
  },
  {
    name: 'a service account that names 30,000 Secrets',
    prepare: ({ serviceAccount }) => {
      serviceAccount.secrets = manyNames(30_000).map((name) => ({ name }));
    },
    play: ({ cluster, pod }) => cluster.post(pod),
    ends: refused('SECRETS_TOO_MANY', /names more than 200 Secrets/),
  },
  {
    name: 'a pod of 800 mounts, words and volumes',
    play: ({ cluster, pod }) => {
      const step = container(pod, 'prepare');
      for (const name of manyNames(800)) {
        (pod.spec.volumes ??= []).push({ name, secret: { secretName: `${name}-other` } });
        (step.args ??= []).unshift(`-basic-docker=${name}=${name}.example.com`);
        (step.volumeMounts ??= []).push({ name, mountPath: `/var/build-secrets/${name}` });
      }
      return cluster.post(pod);
    },
    ends: { signed: {} },
  },
  {
    name: '200 KiB of annotations that nobody knows',
    play: ({ cluster, image, namespace }) => {
      const annotations = Object.fromEntries(
        manyNames(5_000).map((name) => [`${P}v1.secretRe-${name}`, name]),
      );
      const metadata = { name: 'written', namespace, annotations };
      return cluster.api.create({ ...image, metadata });
    },
    ends: refused('NOTARY_CONFIG_INVALID', /found 5000 unknown annotations/),
  },
];
