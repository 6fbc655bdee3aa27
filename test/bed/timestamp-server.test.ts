import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runCommand, succeed } from './command.ts';
import { temporaryDirectory } from './temporary-directory.ts';
import { startTimestampServer } from './timestamp-server.ts';

t.test('timestamps are such that openssl verifies them, under the root and no other', async (t) => {
  const directory = temporaryDirectory();
  const [server, other] = await Promise.all([
    startTimestampServer({ directory: join(directory, 'one') }),
    startTimestampServer({
      directory: join(directory, 'other'),
      deviate: (response, index) => {
        if (index === 0) response.writeHead(503).end();
        return index === 0;
      },
    }),
  ]);
  t.teardown(() => Promise.all([server.stop(), other.stop()]));
  const openssl = (...args: readonly string[]) => ({ program: 'openssl', args, directory });
  const stamp = async (url: string, hash: string) => {
    const [data, query, reply] = ['data', 'query', 'reply'].map((name) => `${hash}-${name}`) as [
      string,
      string,
      string,
    ];
    await writeFile(join(directory, data), hash);
    await succeed(openssl('ts', '-query', '-data', data, `-${hash}`, '-cert', '-out', query));
    const body = await readFile(join(directory, query));
    const headers = { 'content-type': 'application/timestamp-query' };
    const answer = await fetch(url, { method: 'POST', headers, body });
    await writeFile(join(directory, reply), Buffer.from(await answer.arrayBuffer()));
    const verify = (root: string) =>
      runCommand(openssl('ts', '-verify', '-queryfile', query, '-in', reply, '-CAfile', root));
    return { status: answer.status, type: answer.headers.get('content-type'), verify };
  };
  const stamps = await Promise.all(
    ['sha256', 'sha384', 'sha512'].map((hash) => stamp(server.url, hash)),
  );
  for (const { type, verify } of stamps) {
    t.equal(type, 'application/timestamp-reply');
    t.equal((await verify(server.rootFile)).code, 0);
    t.not((await verify(other.rootFile)).code, 0);
  }
  t.equal(server.requests.length, 3);
  t.equal((await stamp(other.url, 'sha256')).status, 503, 'it deviates where it is told to');
  t.equal((await stamp(other.url, 'sha256')).status, 200);
});
