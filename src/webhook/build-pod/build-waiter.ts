import type { V1Container } from '@kubernetes/client-node';
import type { StepChain } from '../../shared/signer-flags.ts';

const WAITER = /\/build-waiter$/;
/** As Go's flag package takes one: a name, and a value in the same word. */
const WAITER_FLAG = /^--?([a-z-]+)(?:=|$)/;

/**
 * The files of one call of kpack's build-waiter: in builds of standard containers it is the command of
 * every step, and runs the step's own program once the step before is done. Undefined when the
 * container does not call the build-waiter, or not as kpack does.
 */
export function readWaiterCall(container: V1Container): StepChain | undefined {
  const [waitFile, doneFile, errorFile, execute] = (
    ['wait-file', 'done-file', 'error-file', 'execute'] as const
  ).map((name) => flagOf(container, name)?.value);
  return waitFile && doneFile && errorFile && execute
    ? { waitFile, doneFile, errorFile }
    : undefined;
}

/** Makes a step wait for another file. */
export function setWaitFile(container: V1Container, file: string): void {
  replaceFlag(container, 'wait-file', file);
}

/** The program of a step; undefined where its image decides. */
export function programOf(container: V1Container): string | undefined {
  return isWaiter(container)
    ? flagOf(container, 'execute')?.value.split(' ')[0]
    : container.command?.[0];
}

/** The arguments of a step's own program. The waiter splits its one string at every space. */
export function programArguments(container: V1Container): readonly string[] {
  return isWaiter(container)
    ? (flagOf(container, 'execute')?.value.split(' ').slice(1) ?? [])
    : (container.args ?? []);
}

/** How texts reach a step's own program that kpack has put at the end of its command line. */
export function asProgramArguments(
  container: V1Container,
  texts: readonly string[],
): readonly string[] {
  return isWaiter(container) ? texts.flatMap((text) => text.split(' ')) : texts;
}

/** Whether the arguments of a step's own program are where kpack has them. */
export function hasReadableCommand(container: V1Container): boolean {
  return !isWaiter(container) || flagOf(container, 'execute') !== undefined;
}

export function setProgramArguments(container: V1Container, words: readonly string[]): void {
  if (isWaiter(container)) {
    replaceFlag(container, 'execute', [programOf(container), ...words].join(' '));
  } else {
    container.args = [...words];
  }
}

function isWaiter({ command }: V1Container): boolean {
  return WAITER.test(command?.[0] ?? '');
}

interface Flag {
  readonly index: number;
  /** Name with dashes and equals sign, as it was written. */
  readonly prefix: string;
  readonly value: string;
}

/** A flag that is given once, in one word. */
function flagOf(container: V1Container, name: string): Flag | undefined {
  if (!isWaiter(container)) return undefined;
  const flags = (container.args ?? []).flatMap((arg, index) => {
    const [prefix = '', written] = WAITER_FLAG.exec(arg) ?? [];
    return written === name ? [{ index, prefix, value: arg.slice(prefix.length) }] : [];
  });
  return flags.length === 1 ? flags[0] : undefined;
}

function replaceFlag(container: V1Container, name: string, value: string): void {
  const flag = flagOf(container, name);
  if (flag) container.args?.splice(flag.index, 1, `${flag.prefix}${value}`);
}
