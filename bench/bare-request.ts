/**
 * The least that a program of Node can do to ask an HTTPS server: one request, under the bundled
 * roots and one more.
 *
 * Arguments: the URL, and the file of the root (PEM).
 */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { rootCertificates } from 'node:tls';

const [url = '', caFile = ''] = process.argv.slice(2);
const agent = new Agent({
  keepAlive: true,
  ca: [...rootCertificates, readFileSync(caFile, 'utf8')],
});
request(url, { agent })
  .on('response', (response) => response.resume().on('end', () => agent.destroy()))
  .end();
