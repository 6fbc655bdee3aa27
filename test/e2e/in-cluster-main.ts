/** Script, run isolated: the report itself. Exit code 1 where anything in it does not hold. */
import { randomInt } from 'node:crypto';
import { isolated } from '../bed/isolation.ts';
import { checkAbsence } from './check-absence.ts';
import { checkColdStart, checkUninstall } from './check-cold-start.ts';
import { writeKustomization } from './installation.ts';
import { checkKill } from './check-kill.ts';
import { lastWords } from './logs.ts';
import { checkOverhead } from './check-overhead.ts';
import { checkRollout } from './check-rollout.ts';
import { startEnvironment } from './environment.ts';
import { checkSigning } from './check-signing.ts';
import { checkV2Signing } from './check-v2-signing.ts';
import { startReport } from './report.ts';
import { checkTutorial, tutorialShell } from './check-tutorial.ts';

/** Checks that are asked for by name; all of them, where none is. */
const CHECKS = ['signing', 'v2', 'overhead', 'rollout', 'kill', 'absence'] as const;

const args = process.argv.slice(2);
const [, webhookImage = '', signerImage = '', ...wanted] = args;
const report = startReport((namespace) => lastWords(environment, namespace));
report.section('A cluster of one node, a Notary server, two registries');
const environment = await startEnvironment(isolated(args));
const { cluster } = environment;
for (const archive of [webhookImage, signerImage]) await cluster.containerd.importImage(archive);
report.tell(await cluster.kubectl('version').then(serverVersion));
const directory = await writeKustomization(cluster);
await checkColdStart(environment, report, directory, randomInt(1, 1_000_000));
const shell = await tutorialShell(environment);
await checkTutorial(environment, report, shell);
const checks = {
  signing: checkSigning,
  v2: checkV2Signing,
  overhead: checkOverhead,
  rollout: checkRollout,
  kill: checkKill,
  absence: checkAbsence,
};
for (const name of CHECKS) {
  if (wanted.length === 0 || wanted.includes(name)) await checks[name](environment, report);
}
await checkUninstall(environment, report, directory, shell);
console.log(`\n${report.held} held, ${report.failures.length} did not`);
for (const failure of report.failures) console.log(`  NOT OK ${failure}`);
process.exit(report.failures.length > 0 ? 1 : 0);

function serverVersion(text: string): string {
  return `Kubernetes ${/Server Version: (\S+)/.exec(text)?.[1]}, its node and its images are ready`;
}
