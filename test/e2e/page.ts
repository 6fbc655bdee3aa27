/** Commands as a page of docs/ has them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../bed/project-directory.ts';

/**
 * The shell commands of a section, as they stand there.
 *
 * @param page such as `how-to/install.md`
 * @throws Error where the page has no such section, or the section no commands
 */
export function commandsOf(page: string, heading: string): string {
  const text = readFileSync(join(projectDirectory(), 'docs', page), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  const blocks = [...(section ?? '').matchAll(/^```sh\n([^]*?)^```$/gm)];
  if (blocks.length === 0) throw new Error(`docs/${page} has no commands under "${heading}"`);
  return blocks.map(([, block = '']) => block).join('');
}
