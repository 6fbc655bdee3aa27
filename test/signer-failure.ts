/** Runs of the bundled signer that fail: what holds of each of them, and of their outputs. */
import type { Test } from 'tap';
import { runSigner, type SignerRun, type SignerRunOptions } from './signer-run.ts';

/** Distinct secret values; none may ever be seen in any output. */
export const CANARIES = {
  wrongPassword: 'canary-wrong-password',
  userPassword: 'canary-user-password',
} as const;

/** Every place where the output of one run may be seen. */
type Outputs = readonly [
  stdout: string,
  stderr: string,
  terminationMessage: string,
  receipt: string,
];

/** Runs whose outputs are kept, to search all of them for secrets in the end. */
export interface WatchedRuns {
  readonly run: (options: SignerRunOptions) => Promise<SignerRun>;
  /** No secret is in any output, nor any of `more`; there were at least so many runs. */
  readonly checkSecrets: (t: Test, leastRuns: number, more?: readonly string[]) => void;
}

export function watchRuns(): WatchedRuns {
  const runs: Outputs[] = [];
  return {
    run: async (options) => {
      const result = await runSigner(options);
      const { stdout, stderr, terminationMessage, receipt } = result;
      runs.push([stdout, stderr, terminationMessage, JSON.stringify(receipt)]);
      return result;
    },
    checkSecrets: (t, leastRuns, more = []) => {
      t.ok(runs.length >= leastRuns, `${runs.length} runs`);
      const outputs = runs.flat();
      for (const canary of [...Object.values(CANARIES), 'bed-passphrase', 'PRIVATE KEY', ...more]) {
        t.notOk(
          outputs.some((output) => output.includes(canary)),
          canary.slice(0, 6),
        );
      }
      const basic = Buffer.from(`robot:${CANARIES.userPassword}`).toString('base64');
      t.notOk(outputs.some((output) => output.includes(basic)));
    },
  };
}

/** What holds of every failure: code, fix and exit code, in every place where somebody looks. */
export function failsWith(t: Test, result: SignerRun, code: string): void {
  const { receipt, terminationMessage, lastLine } = result;
  t.equal(receipt.code, code, result.stdout);
  t.equal(result.code, 1);
  t.equal(receipt.result, 'failed');
  t.ok(receipt.message);
  t.ok(receipt.fix);
  t.match(terminationMessage, `notary-sign failed (${code}): `);
  t.match(terminationMessage, / Fix: ./);
  t.ok(Buffer.byteLength(terminationMessage) <= 1024);
  t.equal(lastLine, terminationMessage, 'the log ends with the same sentence');
  t.equal(result.stderr, '');
}
