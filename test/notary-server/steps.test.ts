import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { FORWARD, startProxy } from '../bed/proxy.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { reportToml, writeSecret, SIGNER } from '../support/signer-run.ts';
import { demandSecretsKept } from '../support/signer-secrets.ts';

const SHA256 = 'e'.repeat(64);
const gun = 'registry.example.test/demo/steps';

t.test('a signer among the steps of a build', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const secret = await secretOf(bed, await initRepository(bed, gun));

  /** Starts the signer, in the chain of wait files that kpack's build-waiter makes. */
  const start = async (tag: string, args: readonly string[] = [], url = bed.notary.url) => {
    const directory = await mkdtemp(join(bed.directory, 'step-'));
    const file = (name: string) => join(directory, name);
    await writeFile(file('report.toml'), reportToml([`${gun}:${tag}`], SHA256, 7));
    const words = [
      SIGNER,
      `--report=${file('report.toml')}`,
      `--notary-url=${url}`,
      `--key-dir=${await writeSecret(file('key'), secret)}`,
      `--receipt=${file('receipt.json')}`,
      `--termination-log=${file('log')}`,
      `--wait-file=${file('export')}`,
      ...(args.some((arg) => /^--(?:dry-run|done-file)/.test(arg))
        ? []
        : [`--done-file=${file('done')}`]),
      `--error-file=${file('error')}`,
      ...args,
    ];
    const child = spawn(process.execPath, words);
    let output = '';
    const says = (text: string) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (output.includes(text)) resolve();
        };
        child.stdout.on('data', look);
        look();
      });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    }
    const ended = once(child, 'close').then(async ([code]) => {
      await demandSecretsKept({ args: words }, { output });
      return code as number | null;
    });
    return {
      child,
      file,
      says,
      ended,
      output: () => output,
      receipt: async () => JSON.parse(await readFile(file('receipt.json'), 'utf8')) as object,
    };
  };

  t.test('waits for the step before, signs, and lets the next one begin', async (t) => {
    const step = await start('1');
    await step.says('waiting for');
    await writeFile(step.file('export'), '');
    t.equal(step.child.exitCode, null, 'an empty file does not count');
    await writeFile(step.file('export'), 'done');
    t.equal(await step.ended, 0, step.output());
    t.equal(await readFile(step.file('done'), 'utf8'), 'signed\n');
    t.notOk(existsSync(step.file('error')));
    t.same(await bed.cli('judge').lookup(gun, '1'), { sha256: SHA256, length: 7 });
  });

  t.test('ends when a step before failed, and touches neither file', async (t) => {
    const step = await start('2');
    await step.says('waiting for');
    await writeFile(step.file('error'), 'export failed');
    t.equal(await step.ended, 1);
    t.match(await step.receipt(), { result: 'failed', code: 'STEP_BEFORE_FAILED' });
    t.equal(await readFile(step.file('error'), 'utf8'), 'export failed');
    t.notOk(existsSync(step.file('done')));
    t.match(step.output(), /notary-sign failed \(STEP_BEFORE_FAILED\)/);
  });

  t.test('that fails writes the error file, and no step begins', async (t) => {
    const step = await start('3', ['--root-pin=' + '0'.repeat(64)]);
    await writeFile(step.file('export'), 'done');
    t.equal(await step.ended, 1);
    t.match(await readFile(step.file('error'), 'utf8'), 'notary-sign failed (ROOT_PIN_MISMATCH)');
    t.notOk(existsSync(step.file('done')));
  });

  t.test('that fails under warn lets the next step begin', async (t) => {
    const step = await start('3', ['--root-pin=' + '0'.repeat(64), '--on-failure=warn']);
    await writeFile(step.file('export'), 'done');
    t.equal(await step.ended, 0);
    t.equal(await readFile(step.file('done'), 'utf8'), 'failed\n');
    t.notOk(existsSync(step.file('error')));
  });

  t.test('whose done file cannot be written fails, in every place', async (t) => {
    const step = await start('4', ['--done-file=/nowhere/done']);
    await writeFile(step.file('export'), 'done');
    t.equal(await step.ended, 1);
    t.notOk(existsSync(step.file('done')));
    t.match(await readFile(step.file('error'), 'utf8'), /OUTPUT_UNWRITABLE.*the tags are signed/);
    t.match(await step.receipt(), { result: 'failed', code: 'OUTPUT_UNWRITABLE' });
  });

  t.test('ends at once with SIGTERM while it waits', async (t) => {
    const step = await start('5');
    await step.says('waiting for');
    step.child.kill('SIGTERM');
    t.equal(await step.ended, 1);
    t.match(await step.receipt(), { result: 'failed', code: 'TERMINATED' });
    t.match(await readFile(step.file('log'), 'utf8'), 'notary-sign failed (TERMINATED)');
    t.match(await readFile(step.file('error'), 'utf8'), 'TERMINATED');
  });

  t.test('that is stopped in the midst of a publish does not say signed', async (t) => {
    const proxy = await startProxy({
      authority: bed.authority,
      target: bed.notary.url,
      rule: ({ method }) => (method === 'POST' ? { kind: 'hang' } : FORWARD),
    });
    t.teardown(() => proxy.stop());
    const step = await start('6', [], proxy.url);
    await writeFile(step.file('export'), 'done');
    await step.says('publishing 6');
    step.child.kill('SIGTERM');
    t.equal(await step.ended, 1);
    t.match(await step.receipt(), { result: 'failed', code: 'READ_BACK_FAILED' });
    t.match(step.output(), /it is not known whether .* took the metadata \(SIGTERM/);
    t.equal(await bed.cli('judge').lookup(gun, '6'), undefined);
  });

  t.test('asked for a dry run does everything but the publish', async (t) => {
    const step = await start('7', ['--dry-run']);
    await writeFile(step.file('export'), 'done');
    t.equal(await step.ended, 0, step.output());
    t.match(await step.receipt(), { result: 'dry-run', repositories: [{ attempts: 0 }] });
    t.match(step.output(), `nothing published (dry run), would sign: ${gun}:7`);
    t.notMatch(step.output(), /^signed/m);
    t.equal(await bed.cli('judge').lookup(gun, '7'), undefined);

    const signed = await start('1', ['--dry-run']);
    await writeFile(signed.file('export'), 'done');
    t.equal(await signed.ended, 0);
    t.match(await signed.receipt(), { result: 'already-signed' });
  });
});
