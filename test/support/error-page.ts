/** docs/errors.md, made from the one source in code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIGNER_ERRORS, WEBHOOK_ERRORS } from '../../src/shared/error-code.ts';
import { withLastStep } from '../../src/shared/signing-error.ts';
import { projectDirectory } from './fixture.ts';

interface ErrorEntry {
  readonly meaning: string;
  readonly cause: string;
  readonly fix: string;
}

const FILE = 'docs/errors.md';

const INTRODUCTION = `# Errors

Every refusal and failure has one of these codes, says what was tried, where, and why it failed, and what
to do next. Those of the signer stand in the log of the container \`notary-sign\`, in its receipt and
termination message, and so in the status of the Build; those of the webhooks in the answer to who
posted the object, and in the log of the webhook. An error may carry a more precise fix than the usual
one here. A Build that failed stays failed, since kpack builds again neither when a Secret changes nor when an
annotation does: [build again](troubleshooting.md#build-again) has the command. What stands in \`<…>\` is yours to fill in.

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
