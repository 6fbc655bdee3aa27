/** promtool: Prometheus' own judge of rule files. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, type CommandResult } from './command.ts';
import { ensureInstalled } from './installed.ts';

/** A test of `promtool test rules`; times are durations such as `10m`, counted from 1970. */
export interface RuleTest {
  readonly name: string;
  readonly interval: string;
  readonly input_series: readonly { readonly series: string; readonly values: string }[];
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly eval_time: string;
    readonly exp_alerts: readonly {
      readonly exp_labels: Readonly<Record<string, string>>;
      readonly exp_annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

/**
 * Runs tests against a rule file; exit code 0 when all hold, else its words.
 *
 * @param directory exists; files are written to it
 * @param rules what a rule file holds: an object with `groups`
 */
export async function testRules(
  directory: string,
  rules: object,
  tests: readonly RuleTest[],
): Promise<CommandResult> {
  await ensureInstalled(['promtool']);
  // JSON is YAML too.
  await writeFile(join(directory, 'rules.yaml'), JSON.stringify(rules));
  const file = { rule_files: ['rules.yaml'], evaluation_interval: '1m', tests };
  await writeFile(join(directory, 'tests.yaml'), JSON.stringify(file));
  return runCommand({ program: 'promtool', args: ['test', 'rules', 'tests.yaml'], directory });
}
