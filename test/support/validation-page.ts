/** docs/reference/validation.md: every rule with the words that a person reads, made from the rules alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { section, signingNamespace } from './build-fixture.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { ask, memoryCluster } from './asking.ts';
import {
  apiVersionsOf,
  clusterOf,
  objectThatSays,
  type NotaryRule,
  type Words,
  type Written,
} from './notary-rule.ts';
import { NOTARY_RULES } from './notary-rules.ts';

const FILE = 'docs/reference/validation.md';
/** Longer ones say nothing more. */
const LONGEST_MANIFEST = 240;

const INTRODUCTION = `# Validation

The webhook checks Images and Builds of \`kpack.io\` (both versions) and Namespaces when you create or change
them, in every namespace but system ones. A dry run gets the same answer. One answer has all mistakes:

\`\`\`text
The request is invalid: admission webhook "kpack.notary.kpack.io" denied the request: kpack-notary
NOTARY_CONFIG_INVALID: (1) … of Image app: found …; expected …, for example …; (2) …. Fix: …
\`\`\`

Three requests are never rejected: those of kpack's own controller, those for an object that is being deleted,
and changes that leave the settings for signing as they were. If such settings are malformed, warnings say so,
and the build pod is refused with the words below.

This page is made from the rules in \`test/support/notary-rules.ts\` by \`npm run docs\`. Tests compare it with
the answers of a real API server.
`;

/** The page as it is. */
export function validationPage(): string {
  return readFileSync(join(projectDirectory(), FILE), 'utf8');
}

/** Writes the page. */
export async function updateValidationPage(): Promise<void> {
  writeFileSync(join(projectDirectory(), FILE), await makeValidationPage());
}

/** The page as the code has it. */
export async function makeValidationPage(): Promise<string> {
  const rules = await Promise.all(NOTARY_RULES.map(describeRule));
  return [INTRODUCTION, await describeWarnings(), ...rules].join('\n');
}

/**
 * What somebody reads who breaks a rule: the message of our answer.
 *
 * @param name of the object
 * @throws Error when it is not refused
 */
export async function refusalOf(
  rule: NotaryRule,
  kind: Written,
  apiVersion: string,
  name?: string,
): Promise<string> {
  const object = objectThatSays(kind, apiVersion, rule.rejected, name);
  const { status } = await ask('validate', object, clusterOf(rule), { username: 'developer' });
  if (!status) throw new Error(`not refused: ${JSON.stringify(object)}`);
  return status.message;
}

async function describeRule(rule: NotaryRule): Promise<string> {
  const [kind = 'Image'] = rule.on;
  const [apiVersion = ''] = apiVersionsOf(kind);
  return [
    `## ${rule.name.charAt(0).toUpperCase()}${rule.name.slice(1)}\n`,
    `On ${list(rule.on)}: ${rule.why}.\n`,
    fenced(
      ...(rule.admin ? [`given  ${manifestOf({ annotations: rule.admin })} of the Namespace`] : []),
      `wrong  ${manifestOf(rule.rejected)}`,
      `told   ${await refusalOf(rule, kind, apiVersion)}`,
      `right  ${manifestOf(rule.accepted)}`,
    ),
  ].join('\n');
}

/** What is told of an Image that has every risk, and of one that opts out beside. */
async function describeWarnings(): Promise<string> {
  const ca = {
    'notary.kpack.io/v1.caSecretRef': 'notary-ca',
    'notary.kpack.io/on-failure': 'warn',
  };
  const optOut = { 'notary.kpack.io/signing': 'disabled' };
  const admin = { 'notary.kpack.io/on-failure': 'fail' };
  const v2 = {
    'notary.kpack.io/v2.secretRef': 'notary-v2-signing',
    'notary.kpack.io/v2.timestampUrl': 'http://timestamp.example.com',
    'notary.kpack.io/v2.timestampCaSecretRef': 'timestamp-ca',
    'notary.kpack.io/v2.registryCaSecretRef': 'registry-ca',
  };
  const cluster = memoryCluster([signingNamespace('disabled', admin)]);
  const warnings = await Promise.all(
    [
      { notary: section('https://notary.example.com', 'notary-signing'), annotations: ca },
      { notary: section('http://notary.example.com'), labels: optOut },
      { notary: section(), annotations: optOut },
      { annotations: admin },
      { annotations: { ...v2, 'notary.kpack.io/v2.on-failure': 'warn' } },
    ].map(async (words) => {
      const object = objectThatSays('Image', 'kpack.io/v1alpha1', words);
      const answer = await ask('validate', object, cluster, { username: 'developer' });
      return answer.warnings ?? [];
    }),
  );
  return ['## Warnings: legal, and risky\n', fenced(...new Set(warnings.flat()))].join('\n');
}

function list(kinds: readonly Written[]): string {
  return new Intl.ListFormat('en').format(kinds.map((kind) => `${kind}s`));
}

/** The part of a manifest that says these words, in one line of YAML. */
function manifestOf({ notary, annotations, labels }: Words): string {
  const metadata = { ...(labels && { labels }), ...(annotations && { annotations }) };
  const manifest = {
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(notary !== undefined && { spec: { notary } }),
  };
  const text = dump(manifest, { flowLevel: 0, lineWidth: -1, noRefs: true }).trimEnd();
  return text.length > LONGEST_MANIFEST ? `${text.slice(0, LONGEST_MANIFEST)}…` : text;
}

function fenced(...lines: readonly string[]): string {
  return `\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`;
}
