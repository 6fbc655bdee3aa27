import { fail } from 'node:assert/strict';
import t from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { KEY_SCENARIOS } from './key-scenarios.ts';
import { kubernetesScenarios } from './kubernetes-scenarios.ts';
import { notaryScenarios } from './notary-scenarios.ts';
import { playScenario } from './scenario.ts';
import { sourceCommands, unmarkedCommands } from './source-commands.ts';

let bed: Promise<Bed> | undefined;
t.teardown(async () => (await bed)?.stop());

const SCENARIOS = [...notaryScenarios(() => (bed ??= startBed())), ...KEY_SCENARIOS];

t.test('every command in a message stands in its own marks, and is played here', async (t) => {
  t.same(unmarkedCommands(), [], 'write it as command`…`');
  // Those of Kubernetes are played beside an API server: test/api-server/fixes.test.ts.
  const all = [...SCENARIOS, ...kubernetesScenarios(() => fail('not played here'))];
  const played = new Set(all.map(({ command }) => command));
  const printed = sourceCommands();
  const unplayed = printed.filter(({ text }) => !played.has(text));
  t.same(unplayed, [], 'no scenario shows that it helps');
  const unknown = [...played].filter((text) => !printed.some((each) => each.text === text));
  t.same(unknown, [], 'a scenario of a command that nobody prints');
});

t.test('a command helps in the situation in which it is printed', async (t) => {
  t.jobs = 2;
  for (const scenario of SCENARIOS) {
    const name = `${scenario.what}: ${scenario.command}`;
    t.test(name, { buffered: true }, (t) => playScenario(t, scenario));
  }
});
