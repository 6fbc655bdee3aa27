/** README's table of error codes, made from the one source in code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SIGNER_ERRORS, WEBHOOK_ERRORS } from '../src/shared/error-code.ts';
import { projectDirectory } from './fixture.ts';

const START = '<!-- prettier-ignore-start -->\n';
const END = '<!-- prettier-ignore-end -->';

/** README as it is. */
export function readme(): string {
  return readFileSync(join(projectDirectory(), 'README.md'), 'utf8');
}

/** README with the table as the code has it. */
export function withErrorTable(text: string): string {
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error('README.md has no place for the error table');
  const table = `${tableOf('Signer', SIGNER_ERRORS)}\n${tableOf('Webhooks', WEBHOOK_ERRORS)}`;
  return `${text.slice(0, start + START.length)}\n${table}\n${text.slice(end)}`;
}

/** Writes the table into README. */
export function updateReadme(): void {
  writeFileSync(join(projectDirectory(), 'README.md'), withErrorTable(readme()));
}

function tableOf(
  title: string,
  errors: Readonly<Record<string, { readonly meaning: string; readonly fix: string }>>,
): string {
  const rows = Object.entries(errors).map(
    ([code, { meaning, fix }]) => `| \`${code}\` | ${cell(meaning)} | ${cell(fix)} |`,
  );
  return `**${title}**\n\n| code | meaning | what to do |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

/** Text as a table cell: outside of code spans, `<` would begin a tag. */
function cell(text: string): string {
  return text
    .split('`')
    .map((part, i) => (i % 2 === 0 ? part.replaceAll('<', '\\<') : part))
    .join('`');
}
