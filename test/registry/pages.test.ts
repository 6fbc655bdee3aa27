/** What the pages on Notary Project signatures tell people to type, typed; the result is judged. */
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t from 'tap';
import { startBed } from '../bed/bed.ts';
import { goTools } from '../bed/go-tools.ts';
import { pushImage } from '../bed/image.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { pageCommands } from '../fixes/page-commands.ts';
import { inShell } from '../fixes/scenario.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

const CERTIFICATES = 'docs/how-to/signing-certificates.md';
const POLICIES = 'docs/how-to/trust-policies.md';
const HOST = 'registry.example.com';

t.test('a certificate and a policy as the pages have them', async (t) => {
  const tools = await goTools();
  if ('missing' in tools) return t.plan(0, tools.missing);
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const { registry } = bed;
  const directory = await mkdtemp(join(bed.directory, 'reader-'));
  // The registry of the bed speaks plain http.
  const here = (text: string) =>
    text.replaceAll(HOST, registry.host).replace(/^notation verify/, '$& --insecure-registry');
  const type = (command: string) =>
    inShell(here(command), {
      directory,
      env: { XDG_CONFIG_HOME: directory },
      programs: dirname(tools.notation),
    });

  const [openssl = ''] = pageCommands(CERTIFICATES).filter((each) => each.startsWith('openssl '));
  const made = await type(openssl);
  t.equal(made.code, 0, made.stderr);
  const read = (file: string) => readFile(join(directory, file), 'utf8');
  const v2Secret = { 'tls.crt': await read('tls.crt'), 'tls.key': await read('tls.key') };
  const { digest, size } = await pushImage({
    ...{ registryUrl: registry.url, repository: 'team/app', tags: ['latest'], content: 'pages' },
  });
  const report = reportToml([`${registry.host}/team/app:latest`], digest.slice(7), size);
  const run = await runSigner({ directory: bed.directory, report, v2Secret });
  t.equal(run.receipt.result, 'signed', run.stdout);

  await cp(join(directory, 'tls.crt'), join(directory, 'root.crt'));
  const page = await readFile(join(projectDirectory(), POLICIES), 'utf8');
  const [, policy = ''] = /^```json\n([^]*?)^```$/m.exec(page) ?? [];
  await writeFile(join(directory, 'policy.json'), here(policy));
  const commands = pageCommands(POLICIES);
  t.equal(commands.length, 3);
  for (const command of commands) {
    const { code, stdout, stderr } = await type(command);
    t.equal(code, 0, `${command}\n${stdout}${stderr}`);
  }

  const another = here(policy).replace('O=Example', 'O=Other');
  await writeFile(join(directory, 'policy.json'), another);
  await type('notation policy import --force policy.json');
  const refused = await type(commands.at(-1) ?? '');
  t.not(refused.code, 0, 'the policy names who may sign');
  t.match(refused.stderr, /signature verification failed for all the signatures/);
});
