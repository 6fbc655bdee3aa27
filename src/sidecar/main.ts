/** The signer: one run a build pod. Flags and environment in; receipt, last words, exit code out. */
import { setFlagsFromString } from 'node:v8';
import { readFlags } from '../shared/flags.ts';
import { helpText, isHelpWanted } from '../shared/help.ts';
import { SIGNER_FLAGS } from '../shared/signer-flags.ts';
import { asSigningError, SigningError } from '../shared/signing-error.ts';
import { writeOutput } from '../shared/standard-output.ts';
import { createLog } from './io/log.ts';
import { processMemory } from './io/memory.ts';
import { failedReceipt, failureOf, type Receipt } from '../shared/receipt.ts';
import { runSigner } from './run.ts';
import { writeStepFile } from './io/step-file.ts';
import { parseSignerOptions, readOutputOptions, type OutputOptions } from './signer-options.ts';
import { failureSentence, lastLine, terminationMessage } from './termination-message.ts';
import { writeText } from './io/text-file.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

function writeLine(line: string): boolean {
  return writeOutput(`${line}\n`);
}

const USAGE = `usage: signer (--notary-url URL --key-dir DIR | --v2-key-dir DIR | all three)
         (--report FILE | --tag REF ...) [FLAG ...]

Signs the tags of one build at a Notary server (v1), the image at its registry (v2), or both.`;

async function main(args: readonly string[]): Promise<number> {
  if (isHelpWanted(args)) {
    return writeLine(helpText(USAGE, SIGNER_FLAGS)) ? 0 : EXIT_FAILED;
  }
  const flags = readFlags(SIGNER_FLAGS, args, process.env);
  const outputs = readOutputOptions(flags);
  let receipt: Receipt;
  let onFailure: 'fail' | 'warn' | 'usage' = 'usage';
  try {
    const options = parseSignerOptions(flags);
    onFailure = options.onFailure;
    const ports = {
      now: () => new Date(),
      log: createLog(outputs.logFormat, writeLine),
      stop: stopSignal(),
      memory: processMemory(),
      environment: process.env,
    };
    receipt = await runSigner(options, ports);
  } catch (error) {
    receipt = failedReceipt('report', asSigningError(error));
  }
  const written = writeOutputs(outputs, receipt, onFailure !== 'warn');
  if (written.result !== 'failed' || onFailure === 'warn') return 0;
  return onFailure === 'usage' ? EXIT_USAGE : EXIT_FAILED;
}

/** Aborts when the pod is being stopped; a second signal ends the process at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      controller.abort(new SigningError('TERMINATED', `${name} came before the work was done`));
    });
  }
  return controller.signal;
}

/**
 * Writes all outputs, which all say the same: also that one of them could not be written.
 *
 * @param mayFail whether a failure fails the build
 */
function writeOutputs(outputs: OutputOptions, receipt: Receipt, mayFail: boolean): Receipt {
  let written = receipt;
  const failure = write(outputs, receipt, mayFail);
  if (failure) {
    written = { ...receipt, result: 'failed', ...failureOf(failure) };
    write(outputs, written, mayFail);
  }
  writeEnd(outputs, written, mayFail);
  return written;
}

/**
 * The end of the log. A failed run ends it with a short line of its own: kpack shows the termination
 * message and the last line side by side. As JSON the last line is the receipt.
 */
function writeEnd({ logFormat }: OutputOptions, receipt: Receipt, mayFail: boolean): void {
  const log = createLog(logFormat, writeLine);
  const isText = logFormat === 'text';
  if (receipt.result !== 'failed') {
    if (isText) writeLine(successLine(receipt, receipt.result));
  } else {
    if (isText) writeLine(failureSentence(receipt));
    if (!mayFail) log.warn(lastLine(receipt, mayFail));
    else if (isText) writeLine(lastLine(receipt, mayFail));
  }
  if (!isText) writeLine(JSON.stringify(receipt));
}

/** Writes receipt, termination message and, when those are out, the file for the next step. */
function write(
  { receiptFile, terminationLog, doneFile, errorFile }: OutputOptions,
  receipt: Receipt,
  mayFail: boolean,
): SigningError | undefined {
  const failsBuild = mayFail && receipt.result === 'failed';
  const lastWords = terminationMessage(receipt, failsBuild);
  const failure = [
    attempt(receiptFile, receipt, (file) => writeText(file, `${JSON.stringify(receipt)}\n`)),
    attempt(terminationLog, receipt, (file) => writeText(file, lastWords)),
  ].find((each) => each !== undefined);
  // The file of the step that failed is its own, and the chain has ended there.
  if (receipt.code === 'STEP_BEFORE_FAILED') return failure;
  if (failsBuild) {
    return attempt(errorFile, receipt, (file) => writeStepFile(file, lastWords)) ?? failure;
  }
  if (mayFail && failure) return failure;
  // A run that is stopped under warn does not let the next step begin: it may even be too early for it.
  if (receipt.code === 'TERMINATED') return failure;
  const undone = attempt(doneFile, receipt, (file) => writeStepFile(file, `${receipt.result}\n`));
  // Under warn there is no other error file to come, and the next step would wait for ever.
  if (undone && !mayFail) attempt(errorFile, receipt, (file) => writeStepFile(file, lastWords));
  return undone ?? failure;
}

function attempt(
  file: string | undefined,
  { result, code = 'INTERNAL', message, fix }: Receipt,
  work: (file: string) => void,
): SigningError | undefined {
  if (file === undefined) return undefined;
  try {
    work(file);
    return undefined;
  } catch (cause) {
    const { code: reason = 'unknown' } = cause as NodeJS.ErrnoException;
    const what = `${file} cannot be written (${reason})`;
    // Why nothing was signed is said nowhere else.
    return result === 'failed'
      ? new SigningError(code, `${message ?? ''}; besides, ${what}`, { fix })
      : new SigningError('OUTPUT_UNWRITABLE', `${what}; the tags are ${result}`);
  }
}

const SUMMARY = {
  signed: 'signed',
  'already-signed': 'already signed',
  'dry-run': 'nothing published (dry run), would sign',
} as const;

function successLine({ repositories }: Receipt, result: keyof typeof SUMMARY): string {
  const signed = repositories.flatMap(({ gun, targets, v2 }) => [
    ...(targets ?? []).map(({ tag }) => `${gun}:${tag}`),
    ...(v2 && v2.result !== 'failed' ? [`${gun} (Notary Project)`] : []),
  ]);
  return `${SUMMARY[result]}: ${signed.join(', ')}`;
}

// A run ends before the optimising compiler and a larger nursery pay. In repositories of 10 tags, of
// 100,000, and beside a delegation of 64 MiB, the compiler took 8 to 15 MiB. It saved time in the second
// alone (0.2 of 1.2 s). The nursery took 3, 9 and 39 MiB, and saved none.
setFlagsFromString('--no-opt');
setFlagsFromString('--semi-space-growth-factor=1');
// Until there is an outcome: a run that nothing keeps going any more ends here, and has not signed.
process.exitCode = EXIT_FAILED;
void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
