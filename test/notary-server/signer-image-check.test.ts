import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from '../bed/authority.ts';
import { startRegistry, type RegistryOptions } from '../bed/docker-registry.ts';
import { pushImage } from '../bed/image.ts';
import { freePort } from '../bed/port.ts';
import { startTokenServer } from '../bed/token-server.ts';
import { runExplain } from '../support/explain-run.ts';
import { startApi } from '../support/kubernetes-api.ts';

t.test('the image of the signer is looked for at its registry', async (t) => {
  const directory = t.testdir();
  const authority = await createAuthority(join(directory, 'authority'));
  const stops: (() => Promise<void>)[] = [];
  t.teardown(() => Promise.all(stops.map((stop) => stop())));
  const keep = <Part extends { stop(): Promise<void> }>(part: Part): Part => {
    stops.push(() => part.stop());
    return part;
  };
  const storage = join(directory, 'registry');
  const start = async (options: Partial<RegistryOptions>) =>
    keep(await startRegistry({ directory: storage, ...options }));
  const plain = await start({});
  const { digest } = await pushImage({
    registryUrl: plain.url,
    repository: 'team/signer',
    tags: ['v1'],
    content: 'signer',
  });
  const open = await start({ authority });
  const guarded = await start({ authority, auth: { accounts: { robot: 'password' } } });
  const tokens = keep(
    await startTokenServer({ authority, accounts: {}, anonymous: ['pull'], service: 'registry' }),
  );
  const forTokens = await start({ authority, auth: { tokens } });
  const closedTokens = keep(
    await startTokenServer({ authority, accounts: {}, service: 'registry' }),
  );
  const forMembers = await start({ authority, auth: { tokens: closedTokens } });

  const api = await startApi(t, authority, []);
  const kubeconfig = await api.kubeconfig(directory);
  const env = { NODE_EXTRA_CA_CERTS: authority.certificateFile };
  const check = async (image: string, environment: Record<string, string> = env) => {
    const args = [`--kubeconfig=${kubeconfig}`, `--signer-image=${image}`];
    const { exitCode, stdout } = await runExplain(directory, args, environment);
    const [, state] = /^Signer image \S+: (.*)$/m.exec(stdout) ?? [];
    return [state, exitCode];
  };
  const nobody = await freePort();
  const absent = `sha256:${'0'.repeat(64)}`;
  t.same(await check(`${open.host}/team/signer:v1`), ['found', 0]);
  t.same(await check(`${open.host}/team/signer@${digest}`), ['found', 0]);
  t.same(await check(`${open.host}/team/signer:v2`), ['not found', 1]);
  t.same(await check(`${open.host}/team/signer:v1@${absent}`), ['not found', 1]);
  t.same(await check(`${forTokens.host}/team/signer:v1`), ['found', 0]);
  t.same(await check(`${guarded.host}/team/signer:v1`), ['needs credentials', 0]);
  t.same(await check(`${forMembers.host}/team/signer:v1`), ['needs credentials', 0]);
  t.match(await check(`127.0.0.1:${nobody}/team/signer:v1`), [/^not checked \(.*ECONNREFUSED/, 0]);
  t.match(await check(`${plain.host}/team/signer:v1`), [/^not checked/, 0]);
  t.match(await check(`${open.host}/team/signer:v1`, {}), [/^not checked \(.*certificate/, 0]);
});
