/** The commands that pages of the documentation tell people to run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from '../bed/project-directory.ts';

/** Programs that the pages name. */
const PROGRAM = /^(?:[A-Z_]+=\$\()?(?:kubectl|notary|docker|kp|openssl|ssh-keygen|node dist\/) /;

/** Every command of a page once, in its order: lines of blocks of shell, and code within the text. */
export function pageCommands(page: string): readonly string[] {
  const text = readFileSync(join(projectDirectory(), page), 'utf8');
  const blocks = /^```sh\n([^]*?)^```/gm;
  const found = [
    ...[...text.matchAll(blocks)].flatMap(({ index, 1: block = '' }) =>
      linesOf(block).map((command) => ({ index, command })),
    ),
    ...[
      ...text
        .replace(/^```[^]*?^```/gm, (block) => ' '.repeat(block.length))
        .matchAll(/`([^`\n]+)`/g),
    ]
      .filter(([, code = '']) => PROGRAM.test(code) && !/^kubectl \S+$/.test(code))
      .map(({ index, 1: command = '' }) => ({ index, command: command.replaceAll('\\|', '|') })),
  ];
  return [...new Set(found.sort((a, b) => a.index - b.index).map(({ command }) => command))];
}

/** The commands of a block: a line that ends with a backslash, or a pipe, goes on. */
function linesOf(block: string): readonly string[] {
  return block
    .replace(/\\\n\s*/g, '')
    .replace(/\|\n\s*/g, '| ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
