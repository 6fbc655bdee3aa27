/**
 * The admission server with its cluster in memory: what the decision itself takes. Arguments:
 * certificate, key, and a file with the objects, as a JSON list.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createServer } from '../src/webhook/server/server.ts';
import { createMetrics } from '../src/webhook/server/metrics.ts';
import { createReadiness } from '../src/webhook/server/readiness.ts';
import { VERSION } from '../src/shared/version.ts';
import type { Manifest } from '../test/support/build-fixture.ts';
import { memoryCluster, SETTINGS } from '../test/support/asking.ts';

const [certificateFile = '', keyFile = '', objects = ''] = process.argv.slice(2);
const manifests = JSON.parse(readFileSync(objects, 'utf8')) as Manifest[];
const app = createServer({
  ...SETTINGS,
  tls: { cert: readFileSync(certificateFile, 'utf8'), key: readFileSync(keyFile, 'utf8') },
  log: pino(),
  metrics: createMetrics(VERSION),
  readiness: createReadiness([], () => undefined),
  cluster: memoryCluster(manifests),
});
await app.listen({ port: 0, host: '127.0.0.1', listenTextResolver: () => 'listening' });
process.stdout.write(`https://127.0.0.1:${(app.server.address() as AddressInfo).port}\n`);
