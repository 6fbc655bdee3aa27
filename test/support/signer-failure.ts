/** Runs of the bundled signer that fail: what holds of each of them, and of their outputs. */
import type { Test } from 'tap';
import type { SignerRun } from './signer-run.ts';

/** Distinct secret values, to be known at sight wherever they get to. */
export const CANARIES = {
  wrongPassword: 'canary-wrong-password',
  userPassword: 'canary-user-password',
} as const;

/** What holds of every failure: code, fix and exit code, in every place where somebody looks. */
export function failsWith(t: Test, result: SignerRun, code: string): void {
  const { receipt, terminationMessage, lastLine, shownByKpack } = result;
  t.equal(receipt.code, code, result.stdout);
  t.equal(result.code, 1);
  t.equal(receipt.result, 'failed');
  t.ok(receipt.message);
  t.ok(receipt.fix);
  t.match(terminationMessage, `notary-sign failed (${code}): `);
  t.match(terminationMessage, / Fix: ./);
  t.ok(Buffer.byteLength(terminationMessage) <= 1024);
  t.equal(lastLine, terminationMessage, 'the log has the same sentence');
  const told = shownByKpack.split(/notary-sign failed/).length - 1;
  t.equal(told, 1, 'kpack shows the sentence once');
  t.match(
    shownByKpack,
    / (?:nothing (?:was|is known to be)|\d+ of \d+ repositories (?:were|are known to be)) signed: For more info/,
  );
  t.equal(result.stderr, '');
}
