import t from 'tap';
import { startScene } from '../support/kubernetes-scene.ts';
import { kubernetesScenarios } from '../fixes/kubernetes-scenarios.ts';
import { playScenario } from '../fixes/scenario.ts';

const scene = await startScene(t);

t.test(
  'a command that is printed where a Secret or a label is not in order cures it',
  async (t) => {
    for (const scenario of kubernetesScenarios(() => scene)) {
      await t.test(`${scenario.what}: ${scenario.command}`, (t) => playScenario(t, scenario));
    }
  },
);
