/** docs/reference/errors.md, made from the one source in code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIGNER_ERRORS, WEBHOOK_ERRORS } from '../../src/shared/error-code.ts';
import { withLastStep } from '../../src/shared/signing-error.ts';
import { projectDirectory } from '../bed/project-directory.ts';

interface ErrorEntry {
  readonly meaning: string;
  readonly cause: string;
  readonly fix: string;
}

const FILE = 'docs/reference/errors.md';

const INTRODUCTION = `# Errors

Every refusal and failure has one of these codes. It says what was tried, where and why it failed, and what
to do next.

- Codes of the signer stand in the log of the container \`notary-sign\`, in its receipt and termination
  message, and so in the status of the Build.
- Codes of the webhooks stand in the answer to the request, and in the log of the webhook.

An error may have a more precise fix than the usual one here. A Build that failed stays failed, since kpack
builds again neither when a Secret changes nor when an annotation does:
[build again](../how-to/troubleshooting.md#build-again) has the command. Replace what stands in \`<…>\`.

This page is made from \`src/shared/error-code.ts\` by \`npm run docs\`.
`;

/** The page as it is. */
export function errorPage(): string {
  return readFileSync(join(projectDirectory(), FILE), 'utf8');
}

/** The page as the code has it. */
export function makeErrorPage(): string {
  return [
    INTRODUCTION,
    '## Signer\n',
    ...sections(SIGNER_ERRORS, withLastStep),
    '## Webhooks\n',
    ...sections(WEBHOOK_ERRORS),
  ].join('\n');
}

/** Writes the page. */
export function updateErrorPage(): void {
  writeFileSync(join(projectDirectory(), FILE), makeErrorPage());
}

function sections(
  errors: Readonly<Record<string, ErrorEntry>>,
  finish = (fix: string): string => fix,
): string[] {
  return Object.entries(errors).map(
    ([code, { meaning, cause, fix }]) =>
      `### ${code}\n\n${prose(meaning)}\n\n- Cause: ${prose(cause)}\n- Fix: ${prose(finish(fix))}\n`,
  );
}

/** Text as Markdown: outside of code spans, \`<\` would begin a tag, and \`*\` an emphasis. */
function prose(text: string): string {
  return text
    .split('`')
    .map((part, i) => (i % 2 === 0 ? part.replace(/[<*_]/g, '\\$&') : part))
    .join('`');
}
