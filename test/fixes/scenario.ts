/** Situations in which a program prints a command; the command is run, and has to cure them. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { commandsIn, shellWord } from '../../src/shared/shell-command.ts';
import type { Bed } from '../bed/bed.ts';
import { runCommand } from '../bed/command.ts';
import type { NotaryCli } from '../bed/notary-cli.ts';
import type { SignerRun } from '../support/signer-run.ts';
import { printedForm } from './source-commands.ts';

/** A situation, with the command that cures it. */
export interface Scenario {
  /** The command as the source has it, with `…` for each value and placeholder. */
  readonly command: string;
  readonly what: string;
  readonly play: (t: Test) => Promise<Played>;
}

/** A situation that was brought about. */
export interface Played {
  /** What was printed, with the command between backticks. */
  readonly printed: string;
  /** What people write for `<name>`. */
  readonly fill?: Readonly<Record<string, string>>;
  readonly shell: Shell;
  /** Throws unless all is well now. */
  readonly demandCured: () => Promise<void>;
}

/** In which surroundings people run commands. */
export interface Shell {
  /** Their home, in which the command runs as well. */
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What they type when a program asks, a line each. */
  readonly answers?: readonly string[];
  /** A directory of further programs. */
  readonly programs?: string;
}

/** Brings the situation about, runs the command as it was printed, and demands that it helps. */
export async function playScenario(t: Test, { command, play }: Scenario): Promise<void> {
  const { printed, fill = {}, shell, demandCured } = await play(t);
  const form = printedForm(command);
  const found = commandsIn(printed).find((text) => form.test(text));
  if (found === undefined) throw new Error(`no such command is printed: ${printed}`);
  const whole = found.replace(/<([^<>]+)>/g, (placeholder, name: string) => {
    const value = fill[name];
    if (value === undefined) throw new Error(`nothing to write for ${placeholder}`);
    return shellWord(value);
  });
  const { code, stdout, stderr } = await inShell(whole, shell);
  t.equal(code, 0, `${whole}\n${stdout}${stderr}`);
  await demandCured();
}

/** Runs a command line as a shell of people does. */
export function inShell(command: string, { directory, env = {}, answers = [], programs }: Shell) {
  const path = programs === undefined ? '' : 'PATH="$PROGRAMS:$PATH"; ';
  // Without a terminal, programs that ask for a password read it from stdin.
  const script = `${path}printf '%s\\n' "$@" | setsid -w sh -c "$COMMAND"`;
  return runCommand({
    program: 'sh',
    args: ['-c', script, 'sh', ...answers],
    directory,
    env: { ...env, COMMAND: command, ...(programs !== undefined && { PROGRAMS: programs }) },
    timeLimit: 120_000,
  });
}

/**
 * The shell of somebody with a notary CLI whose configuration knows the CA of the bed.
 *
 * @param cli whose keys are there
 */
export async function notaryShell({ authority, directory }: Bed, cli: NotaryCli) {
  const trust = dirname(cli.privateKeyDirectory);
  await mkdir(trust, { recursive: true });
  const home = join(directory, `shell-${homes++}`);
  await mkdir(home);
  await symlink(trust, join(home, '.notary'));
  // Without its URL: the command says it.
  const server = { root_ca: authority.certificateFile };
  await writeFile(join(trust, 'config.json'), JSON.stringify({ remote_server: server }));
  const roles = ['ROOT', 'TARGETS', 'SNAPSHOT', 'DELEGATION'];
  const env = roles.map((role) => [`NOTARY_${role}_PASSPHRASE`, cli.passphrase]);
  return { directory: home, env: Object.fromEntries(env) as Record<string, string> };
}

let homes = 0;

/** What a failed run printed, of one code. */
export function printedBy(run: SignerRun, code: string): string {
  if (run.receipt.code !== code) throw new Error(`not ${code}: ${run.stdout}`);
  return run.terminationMessage;
}

/** @throws Error with the log when a run did not sign */
export function demandSigned({ receipt, stdout }: SignerRun): void {
  if (!['signed', 'already-signed'].includes(receipt.result)) throw new Error(stdout);
}
