import { connect } from 'node:tls';
import t from 'tap';
import { initRepository } from './notary-repository.ts';
import { startBed } from './bed.ts';

const SHA256 = 'ab'.repeat(32);

t.test('a server that keeps neither keys nor metadata loses nothing by a restart', async (t) => {
  const bed = await startBed({ signer: true, storage: 'postgres' });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const cli = await initRepository(bed, gun);
  await cli.addHash(gun, 'v1', 1, SHA256);
  await cli.publish(gun);
  const { url } = bed.notary;
  const { pid } = bed.notary.child;

  await bed.notary.restart();
  t.equal(bed.notary.url, url);
  t.not(bed.notary.child.pid, pid);
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await cli.addHash(gun, 'v2', 2, SHA256);
  await cli.publish(gun);
  t.same((await cli.list(gun)).map(({ tag }) => tag).sort(), ['v1', 'v2']);

  bed.notary.freeze();
  t.ok(await isSilent(bed.notary), 'it hangs');
  bed.notary.thaw();
  t.notOk(await isSilent(bed.notary));
});

t.test('a server needs the signer for publishing, and for nothing else', async (t) => {
  const bed = await startBed({ signer: true });
  t.teardown(() => bed.stop());
  const gun = 'registry.example.test/demo/app';
  const cli = await initRepository(bed, gun);
  const publish = async (tag: string) => {
    await cli.addHash(gun, tag, 1, SHA256);
    await cli.publish(gun);
  };
  await publish('v1');

  await bed.signer?.kill();
  await t.rejects(publish('v2'), /code = Unavailable/);
  t.equal((await cli.list(gun)).length, 1);

  await bed.signer?.restart();
  // The server dials the signer again a second or two after it found it gone.
  let said = 'code = Unavailable';
  while (said.includes('code = Unavailable')) said = (await cli.run(['publish', gun])).stdout;
  t.match(said, /code = NotFound desc = key/, 'its keys are lost');
});

/** Whether a server shakes no hand for a while. */
function isSilent({ url }: { readonly url: string }): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  return new Promise<boolean>((resolve) => {
    socket.setTimeout(500, () => resolve(true));
    socket.once('secureConnect', () => resolve(false));
    socket.once('error', () => resolve(false));
  }).finally(() => socket.destroy());
}
