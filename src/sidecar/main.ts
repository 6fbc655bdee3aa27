/** The signer: one run a build pod. Flags and environment in; receipt, last words, exit code out. */
import { writeFileSync } from 'node:fs';
import { SigningError } from '../shared/signing-error.ts';
import { createLog } from './log.ts';
import { failedReceipt, type Receipt } from './receipt.ts';
import { runSigner } from './run.ts';
import { parseSignerOptions, type SignerOptions } from './signer-options.ts';
import { terminationMessage } from './termination-message.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  let options: SignerOptions;
  try {
    options = parseSignerOptions(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    writeLine(terminationMessage(failedReceipt('report', error), true));
    return EXIT_USAGE;
  }
  const { logFormat, onFailure } = options;
  const log = createLog(logFormat, writeLine);
  const receipt = await runSigner(options, { now: () => new Date(), log }).catch(
    (error: unknown): Receipt => failedReceipt('report', unexpected(error)),
  );
  const failed = receipt.result === 'failed';
  const failsBuild = failed && onFailure === 'fail';
  if (failed && !failsBuild) log.warn('the build goes on unsigned, since on-failure is warn');
  const lastWords = terminationMessage(receipt, failsBuild);
  const isWritten = writeOutputs(options, receipt, lastWords);
  writeLine(logFormat === 'json' ? JSON.stringify(receipt) : summary(receipt));
  return failsBuild || (!isWritten && onFailure === 'fail') ? EXIT_FAILED : 0;
}

/** Writes receipt and termination message; false, and a line each, when that fails. */
function writeOutputs(options: SignerOptions, receipt: Receipt, lastWords: string): boolean {
  const outputs: [string | undefined, string][] = [
    [options.receiptFile, `${JSON.stringify(receipt)}\n`],
    [options.terminationLog, lastWords],
  ];
  return outputs
    .map(([file, text]) => {
      try {
        if (file !== undefined) writeFileSync(file, text);
        return true;
      } catch (error) {
        writeLine(`${file ?? ''} cannot be written: ${(error as Error).message}`);
        return false;
      }
    })
    .every(Boolean);
}

function summary(receipt: Receipt): string {
  if (receipt.result === 'failed') return terminationMessage(receipt, true);
  const tags = receipt.repositories.flatMap(({ gun, targets }) =>
    targets.map(({ tag }) => `${gun}:${tag}`),
  );
  return `${receipt.result === 'signed' ? 'signed' : 'already signed'}: ${tags.join(', ')}`;
}

/** A mistake of ours; its message may hold anything, so only its name and place are told. */
function unexpected(error: unknown): SigningError {
  const { name, stack = '' } = error as Error;
  const place = /\n\s+at (.*)/.exec(stack)?.[1] ?? 'unknown place';
  return new SigningError('INTERNAL', `${name} at ${place}`, { cause: error });
}

void main().then((code) => {
  process.exitCode = code;
});
