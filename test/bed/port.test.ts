import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { startBed } from './bed.ts';
import { startRegistry } from './docker-registry.ts';
import { startNotaryServer } from './notary-server.ts';
import { freePort, onFreePort } from './port.ts';

t.test('a part whose port was taken meanwhile starts on another one', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  t.teardown(() => squatter.close());
  const taken = (squatter.address() as AddressInfo).port;
  let picks = 0;
  const pickPort = async (): Promise<number> => {
    picks += 1;
    return picks % 2 === 1 ? taken : freePort();
  };
  const directory = join(bed.directory, 'again');
  const notary = await startNotaryServer({ directory, authority: bed.authority, pickPort });
  t.teardown(() => notary.stop());
  const registry = await startRegistry({ directory, pickPort });
  t.teardown(() => registry.stop());
  t.equal(picks, 4);
  t.equal((await fetch(`${registry.url}/v2/`)).status, 200);
  t.not(notary.port, taken);
});

t.test('a start is tried on other ports for a taken one alone', async (t) => {
  const failures = ['listen EADDRINUSE', 'bind: address already in use'];
  const starts = onFreePort((port) => {
    const failure = failures.shift();
    return failure === undefined ? Promise.resolve(port) : Promise.reject(new Error(failure));
  });
  t.type(await starts, 'number');
  t.same(failures, []);
  let tries = 0;
  const broken = (text: string) => () => {
    tries += 1;
    return Promise.reject(new Error(text));
  };
  await t.rejects(onFreePort(broken('no such file')), /no such file/);
  t.equal(tries, 1);
  await t.rejects(onFreePort(broken('address already in use')), /address already in use/);
  t.equal(tries, 11, 'it gives up in the end');
});

t.test('no port is picked twice while its process lives', async (t) => {
  const ports = await Promise.all(Array.from({ length: 1000 }, () => freePort()));
  t.equal(new Set(ports).size, ports.length);
});
