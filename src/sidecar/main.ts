/** The signer: one run a build pod. Flags and environment in; receipt, last words, exit code out. */
import { writeFileSync } from 'node:fs';
import { asSigningError, SigningError } from '../shared/signing-error.ts';
import { createLog } from './log.ts';
import { failedReceipt, failureOf, type Receipt } from './receipt.ts';
import { runSigner } from './run.ts';
import { parseSignerOptions, readOutputOptions, type OutputOptions } from './signer-options.ts';
import { terminationMessage } from './termination-message.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

function writeLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const outputs = readOutputOptions(args, process.env);
  let receipt: Receipt;
  let onFailure: 'fail' | 'warn' | 'usage' = 'usage';
  try {
    const options = parseSignerOptions(args, process.env);
    onFailure = options.onFailure;
    const log = createLog(outputs.logFormat, writeLine);
    const environment = process.env;
    receipt = await runSigner(options, { now: () => new Date(), log, environment });
    if (receipt.result === 'failed' && onFailure === 'warn') {
      log.warn('the build goes on unsigned, since on-failure is warn');
    }
  } catch (error) {
    receipt = failedReceipt('report', asSigningError(error));
  }
  const written = writeOutputs(outputs, receipt, onFailure !== 'warn');
  if (written.result !== 'failed' || onFailure === 'warn') return 0;
  return onFailure === 'usage' ? EXIT_USAGE : EXIT_FAILED;
}

/**
 * Writes receipt, termination message and last line, which all say the same: also that one of them
 * could not be written.
 */
function writeOutputs(
  { receiptFile, terminationLog, logFormat }: OutputOptions,
  receipt: Receipt,
  failsBuild: boolean,
): Receipt {
  let written = write(receiptFile, (current) => `${JSON.stringify(current)}\n`, receipt);
  const lastWords = (current: Receipt) =>
    terminationMessage(current, failsBuild && current.result === 'failed');
  written = write(terminationLog, lastWords, written);
  writeLine(logFormat === 'json' ? JSON.stringify(written) : summary(written));
  return written;
}

/** Writes one output; the receipt with the failure, if that is what comes of it. */
function write(
  file: string | undefined,
  format: (receipt: Receipt) => string,
  receipt: Receipt,
): Receipt {
  if (file === undefined) return receipt;
  try {
    writeFileSync(file, format(receipt));
    return receipt;
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    const tags =
      receipt.result === 'failed' ? `not signed (${receipt.code ?? 'INTERNAL'})` : receipt.result;
    const what = `${file} cannot be written (${code}); the tags are ${tags}`;
    return {
      ...receipt,
      result: 'failed',
      ...failureOf(new SigningError('OUTPUT_UNWRITABLE', what)),
    };
  }
}

function summary(receipt: Receipt): string {
  if (receipt.result === 'failed') return terminationMessage(receipt, true);
  const tags = receipt.repositories.flatMap(({ gun, targets }) =>
    targets.map(({ tag }) => `${gun}:${tag}`),
  );
  return `${receipt.result === 'signed' ? 'signed' : 'already signed'}: ${tags.join(', ')}`;
}

// Who reads the log may be gone, or its disk full: the other outputs are still to be written.
process.stdout.on('error', () => undefined);
void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
