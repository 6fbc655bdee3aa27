/** Every alert fires when it should and not otherwise, by Prometheus' own judge. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';
import t from 'tap';
import { createAuthority } from '../bed/authority.ts';
import { onFreePort } from '../bed/port.ts';
import { testRules, type RuleTest } from '../bed/promtool.ts';
import { startWebhook } from '../bed/webhook.ts';
import { buildFixture, manifestsOf, writeManifests } from '../support/build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { parseExposition } from '../support/exposition.ts';
import { IMAGE_FLAG, PROGRAM } from '../support/program.ts';
import { ALERT_CASES, type AlertCase, type Firing } from './alert-cases.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>> & { readonly runbook_url: string };
}

const file = join(projectDirectory(), 'deploy/components/alerts/prometheus-rule.yaml');
const { spec } = load(readFileSync(file, 'utf8')) as {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
};
const rules = spec.groups.flatMap((group) => group.rules);

for (const alertCase of ALERT_CASES) {
  const { alert, when, fires } = alertCase;
  t.test(`${alert}: ${fires.length > 0 ? 'fires when' : 'is quiet when'} ${when}`, async (t) => {
    const { code, stdout, stderr } = await testRules(t.testdir(), spec, [testOf(alertCase)]);
    t.equal(code, 0, stdout + stderr);
  });
}

t.test('every alert is seen to fire, and to be quiet', async (t) => {
  const alertsOfCases = (isFiring: boolean) =>
    ALERT_CASES.filter(({ fires }) => fires.length > 0 === isFiring).map(({ alert }) => alert);
  for (const { alert } of rules) {
    t.ok(alertsOfCases(true).includes(alert), `${alert} fires`);
    t.ok(alertsOfCases(false).includes(alert), `${alert} is quiet`);
  }
  t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

t.test('every alert leads to a page of its name, which says what to do', async (t) => {
  for (const { alert, annotations } of rules) {
    const { runbook_url: link } = annotations;
    t.equal(link, `https://kpack-notary.invalid/docs/runbook/${alert}.md`);
    const page = join(projectDirectory(), 'docs/runbook', `${alert}.md`);
    if (!t.ok(existsSync(page), link)) continue;
    const text = readFileSync(page, 'utf8');
    const prose = text.replaceAll(/^```[^]*?^```/gm, '');
    const headings = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
    t.same(
      headings.slice(0, 5),
      [alert, 'Impact', 'Diagnosis', 'Fix', 'When it has to stop now'],
      link,
    );
  }
});

t.test('every metric that a rule names is served by the program', async (t) => {
  const directory = t.testdir();
  const given = buildFixture();
  await writeManifests(join(directory, 'manifests'), manifestsOf(given));
  const authority = await createAuthority(join(directory, 'authority'));
  const text = await onFreePort(async (port) => {
    const webhook = await startWebhook({
      program: PROGRAM,
      directory,
      authority,
      args: ['--manifests=manifests', IMAGE_FLAG, `--metrics-port=${port}`],
    });
    try {
      await webhook.post('mutate', { object: given.pod });
      return await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    } finally {
      await webhook.stop();
    }
  });
  const labels = new Map<string, Set<string>>();
  for (const { name, labels: given } of parseExposition(text)) {
    labels.set(name, new Set([...(labels.get(name) ?? []), ...Object.keys(given)]));
  }
  const types = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  for (const metric of metricsOf(rules).filter((name) => !name.startsWith('apiserver_'))) {
    t.ok(types.has(metric.replace(/_bucket$/, '')), metric);
  }
  for (const { expr } of rules) {
    for (const [, metric = '', matchers = ''] of expr.matchAll(/(kpack_notary_\w+)\{(.*?)\}/g)) {
      for (const [, label = ''] of matchers.matchAll(/(\w+)=~?"/g)) {
        // What has not been counted yet shows no labels.
        if (labels.has(metric)) t.ok(labels.get(metric)?.has(label), `${metric}: ${label}`);
      }
    }
  }
});

function testOf({ alert, when, series, minute, fires }: AlertCase): RuleTest {
  return {
    name: when,
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      {
        alertname: alert,
        eval_time: `${minute}m`,
        exp_alerts: fires.map((firing) => expected(alert, firing)),
      },
    ],
  };
}

/** The labels and words of a rule, as they come out. */
function expected(alert: string, { labels, value = '' }: Firing) {
  const rule = rules.find((candidate) => candidate.alert === alert);
  if (rule === undefined) throw new Error(`there is no alert ${alert}`);
  const shown = (text: string) =>
    text
      .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => labels[label] ?? '')
      .replaceAll(/\{\{ \$value.*?\}\}/g, value);
  const annotations = Object.entries(rule.annotations).map(([name, text]) => [name, shown(text)]);
  return {
    exp_labels: { ...labels, ...rule.labels },
    exp_annotations: Object.fromEntries(annotations) as Record<string, string>,
  };
}

/** The metrics in the expressions of rules: what is neither matcher, range nor part of PromQL. */
function metricsOf(all: readonly Rule[]): readonly string[] {
  const names = all.flatMap(({ expr }) =>
    [...expr.replaceAll(/\{.*?\}|\[.*?\]|\b(?:by|on) \(.*?\)/gs, ' ').matchAll(/[a-z]\w+/g)].map(
      ([name]) => name,
    ),
  );
  return [...new Set(names)].filter((name) => name.includes('_') && name !== 'histogram_quantile');
}
