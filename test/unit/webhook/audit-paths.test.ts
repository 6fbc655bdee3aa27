import t, { type Test } from 'tap';
import type { Cluster } from '../../../src/shared/kubernetes/cluster.ts';
import { admissionReview, type ReviewOptions } from '../../bed/webhook.ts';
import {
  buildFixture,
  changed,
  manifestsOf,
  setSection,
  signingNamespace,
} from '../../support/build-fixture.ts';
import { unreadable, inject, memoryCluster } from '../../support/asking.ts';
import { container, SIGNER } from '../../support/pod.ts';
import { post, serve } from '../../support/served.ts';

const clusterOf = (given = buildFixture()) => memoryCluster(manifestsOf(given));

/** Asks as of an audited namespace. */
async function ask(t: Test, cluster: Cluster, question: string, options: ReviewOptions) {
  const { app, log } = serve(t, cluster);
  const { status, body } = await post(app, `/audit/${question}`, admissionReview(options));
  t.equal(status, 200);
  return { ...body.response, log: log() };
}

t.test(
  'no later change of an audited pod is refused, and the log says which would be',
  async (t) => {
    // Admitted when the namespace was enabled.
    const injected = await inject(buildFixture());
    const changes: Record<string, ReviewOptions> = {
      'our image swapped': {
        object: changed(injected, (pod) => (container(pod, SIGNER).image = 'evil')),
      },
      'a way to the key': {
        object: changed(injected, ({ spec }) => {
          spec.ephemeralContainers = [{ name: 'x', image: 'x', targetContainerName: SIGNER }];
        }),
        subResource: 'ephemeralcontainers',
      },
    };
    for (const [what, options] of Object.entries(changes)) {
      const request: ReviewOptions = { ...options, operation: 'UPDATE', oldObject: injected };
      const answer = await ask(t, memoryCluster([]), 'validate', request);
      t.equal(answer.allowed, true, what);
      t.match(answer.warnings, ['kpack-notary: audit: would be refused: kpack-notary']);
      t.match(answer.log, /"mode":"audit","decision":"deny","code":"(POD_CHANGE|SECRET_)/);
    }
  },
);

t.test('no audited pod waits for a Kubernetes API that does not tell what it is', async (t) => {
  const given = buildFixture('v0.17.2/02-notary', signingNamespace('audit'));
  const mistaken: Cluster = {
    ...clusterOf(given),
    get: () => Promise.reject(new TypeError('a mistake')),
  };
  for (const question of ['mutate', 'validate']) {
    for (const [cluster, code] of [
      [unreadable(clusterOf(given), 'Namespace'), 'CLUSTER_UNAVAILABLE'],
      [mistaken, 'WEBHOOK_FAILED'],
    ] as const) {
      const answer = await ask(t, cluster, question, { object: given.pod });
      t.equal(answer.allowed, true, code);
      t.match(answer.warnings, [`kpack-notary: audit: would be refused: kpack-notary ${code}`]);
      t.equal(answer.patch, undefined);
    }
  }
});

t.test('a namespace that has just been enabled is signed, whatever the path', async (t) => {
  const given = buildFixture();
  t.ok((await ask(t, clusterOf(given), 'mutate', { object: given.pod })).patch);
  const injected = await inject(given);
  const { allowed, warnings } = await ask(t, clusterOf(given), 'validate', { object: injected });
  t.ok(allowed);
  t.equal(warnings, undefined);
  setSection(given, 'malformed');
  t.ok((await ask(t, clusterOf(given), 'mutate', { object: given.pod })).allowed);
});
