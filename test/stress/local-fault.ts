/** A fault at one of the signer's own steps on files: what it says of it, and what others see. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bed } from '../bed/bed.ts';
import { runCommand } from '../bed/command.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, SIGNER, writeSecret } from '../support/signer-run.ts';

/** What goes wrong: an error of the system, or the end of the process. */
export const LOCAL_KINDS = ['EIO', 'EACCES', 'ENOSPC', 'SIGKILL'] as const;
export type LocalKind = (typeof LOCAL_KINDS)[number];

/** A fault at a step, as the log of a run without one names it. */
export interface LocalFault {
  readonly step: string;
  readonly kind: LocalKind;
}

/** A run, and what is wrong with how it ended. */
export interface LocalRun {
  /** Steps in order; hidden names of the run are left out. */
  readonly steps: readonly string[];
  readonly came: string;
  readonly complaints: readonly string[];
}

/** Signs tag after tag of one repository, with a fault in each run. */
export interface LocalSetup {
  run(tag: string, fault?: LocalFault): Promise<LocalRun>;
}

const GUN = 'registry.example.test/demo/local';
const SHA256 = 'd'.repeat(64);
const PRELOAD = new URL('./local-fault-preload.js', import.meta.url).href;

/** A repository, and the files of a signer that has every kind of them. */
export async function localSetup(bed: Bed): Promise<LocalSetup> {
  const secret = await secretOf(bed, await initRepository(bed, GUN));
  const judge = bed.cli('judge');
  const sign = async (tag: string, fault?: LocalFault) => {
    const directory = await mkdtemp(join(bed.directory, 'local-'));
    const at = (name: string): string => join(directory, name);
    await writeFile(at('report.toml'), reportToml([`${GUN}:${tag}`], SHA256, 7));
    await writeFile(at('before'), 'done');
    await writeFile(at('ca.crt'), bed.authority.certificatePem);
    await writeSecret(at('key'), secret);
    await writeSecret(at('credentials'), { username: 'robot', password: 'canary-user-password' });
    const { log, ...result } = await logged(directory, {
      program: 'node',
      args: [
        ...[`--import=${PRELOAD}`, SIGNER, `--notary-url=${bed.notary.url}`],
        ...[`--report=${at('report.toml')}`, `--key-dir=${at('key')}`, `--ca-file=${at('ca.crt')}`],
        `--notary-credentials=${bed.notary.host}=${at('credentials')}`,
        ...[`--receipt=${at('receipt')}`, `--termination-log=${at('log')}`],
        ...[`--wait-file=${at('before')}`, `--done-file=${at('done')}`],
        `--error-file=${at('error')}`,
      ],
      ...(fault && { env: { LOCAL_FAULT_STEP: fault.step, LOCAL_FAULT_KIND: fault.kind } }),
    });
    const [receipt = '', words, done, error] = await Promise.all(
      ['receipt', 'log', 'done', 'error'].map((name) => readFile(at(name), 'utf8').catch(() => '')),
    );
    return { ...result, steps: log, receipt, words, done, error };
  };
  return {
    run: async (tag, fault) => {
      const harmed = await sign(tag, fault);
      const complaints: string[] = [];
      const expect = (isSo: boolean, complaint: string): void => {
        if (!isSo) complaints.push(`${complaint}\n${harmed.stdout}`);
      };
      const found = async () => JSON.stringify((await judge.lookup(GUN, tag)) ?? {});
      const wanted = JSON.stringify({ sha256: SHA256, length: 7 });
      if (fault) expect(harmed.steps.includes(fault.step), 'the step did not come');
      const { result = 'killed', code } = parse(harmed.receipt);
      const isKilled = harmed.code === undefined;
      const hasSigned = !isKilled && result !== 'failed';
      const lastLine = harmed.stdout.trimEnd().split('\n').at(-2) ?? '';
      if (harmed.done !== '')
        expect((await found()) === wanted, 'done, and notary does not find it');
      if (hasSigned) {
        expect((await found()) === wanted, 'signed, and notary does not find it');
        expect(harmed.code === 0 && harmed.done !== '', 'signed, and the next step is not told');
      } else if (!isKilled) {
        expect(harmed.code === 1 && harmed.done === '', 'failed, and the next step goes on');
        expect(code !== undefined && code !== 'INTERNAL', `failed with ${code ?? 'no code'}`);
        expect(lastLine === harmed.words && / Fix: ./.test(lastLine), 'failed, and told badly');
        expect(harmed.error !== '', 'failed, and no other step is told');
      }
      if (!hasSigned) {
        const { code: exit, stdout } = await sign(tag);
        expect(exit === 0 && (await found()) === wanted, `the run after that failed\n${stdout}`);
      }
      const came = isKilled ? 'killed' : code === undefined ? result : `${result} ${code}`;
      return { steps: harmed.steps, came, complaints };
    },
  };
}

/** Runs the signer with its steps logged; without an exit code when it was killed. */
async function logged(
  directory: string,
  command: { program: string; args: string[]; env?: Record<string, string> },
): Promise<{ code?: number; stdout: string; log: readonly string[] }> {
  const file = `${directory}.steps`;
  const env = { ...command.env, LOCAL_FAULT_DIRECTORY: directory, LOCAL_FAULT_LOG: file };
  const result = await runCommand({ ...command, directory, env }).catch((error: unknown) => {
    if (!/was ended by SIGKILL/.test(String(error))) throw error;
    return { stdout: '' };
  });
  return { ...result, log: (await readFile(file, 'utf8')).trimEnd().split('\n') };
}

function parse(receipt: string): { readonly result?: string; readonly code?: string } {
  return receipt === '' ? {} : (JSON.parse(receipt) as { result?: string; code?: string });
}
