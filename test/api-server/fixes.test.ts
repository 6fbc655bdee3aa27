import t from 'tap';
import { startTestCluster } from '../support/test-cluster.ts';
import { kubernetesScenarios } from '../fixes/kubernetes-scenarios.ts';
import { playScenario } from '../fixes/scenario.ts';

const cluster = await startTestCluster(t);

t.test(
  'a command that is printed where a Secret or a label is not in order cures it',
  async (t) => {
    for (const scenario of kubernetesScenarios(() => cluster)) {
      await t.test(`${scenario.what}: ${scenario.command}`, (t) => playScenario(t, scenario));
    }
  },
);
