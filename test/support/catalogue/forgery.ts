/** Files that a client with keys may post, and no tool would. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import type { SigningKey } from '../../../src/sidecar/tuf/publication.ts';
import { canonical, goWire, type DraftObject } from '../trust/draft.ts';
import { asPassword, openKeys } from '../private-key.ts';
import type { TestRepository } from './test-repository.ts';

/** A key pair for a delegation, by openssl. */
export function makeDelegationKey({ bed }: TestRepository, name: string) {
  const file = join(bed.directory, `${name}.key`);
  const publicFile = join(bed.directory, `${name}.pub`);
  const curve = ['-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['genpkey', '-algorithm', 'EC', ...curve, '-out', file]);
  execFileSync('openssl', ['pkey', '-in', file, '-pubout', '-out', publicFile]);
  return { file, publicFile, pem: readFileSync(file, 'utf8') };
}

/** The owner's key of a role. */
export async function ownersKey(
  { owner, gun }: TestRepository,
  role: 'root' | 'targets',
): Promise<SigningKey> {
  for (const name of await readdir(owner.privateKeyDirectory)) {
    const pem = await readFile(join(owner.privateKeyDirectory, name), 'utf8');
    const isOf = pem.includes(`\nrole: ${role}\n`);
    if (!isOf || (role === 'targets' && !pem.includes(`\ngun: ${gun}\n`))) continue;
    return forger(pem, owner.passphrase);
  }
  throw new Error(`the owner has no ${role} key`);
}

/** Somebody who holds the key in a PEM text. */
export function forger(pem: string, password?: string): SigningKey {
  const [key] = openKeys([{ name: 'forger.key', pem }], asPassword(password)).keys;
  if (!key) throw new Error('the key does not open');
  return key;
}

/** The file of a role as it is served. */
export async function servedFile(
  repository: TestRepository,
  role: string,
): Promise<{ signed: DraftObject; signatures: DraftObject[] }> {
  const { status, text } = await send(repository, 'GET', `${role}.json`);
  if (status !== 200) throw new Error(`GET ${role}.json: HTTP ${status}`);
  return JSON.parse(text) as { signed: DraftObject; signatures: DraftObject[] };
}

/**
 * Posts the next version of a role, changed, and signed by the key under the id that the role lists.
 *
 * @param edit changes the content before it is signed, and the bytes after that
 */
export async function forge(
  repository: TestRepository,
  role: string,
  by: SigningKey,
  edit: {
    readonly content?: (signed: DraftObject) => void;
    readonly bytes?: (text: string) => string;
  },
): Promise<void> {
  const served = await servedFile(repository, role).catch(() => ({
    signed: EMPTY,
    signatures: [],
  }));
  const signed = structuredClone(served.signed);
  signed['version'] = Number(signed['version']) + 1;
  edit.content?.(signed);
  const listed = served.signatures[0]?.['keyid'] ?? by.canonicalId;
  const sig = Buffer.from(await by.sign(Buffer.from(canonical(signed)))).toString('base64');
  const text = goWire({ signed, signatures: [{ keyid: listed, method: by.method, sig }] });
  await post(repository, role, edit.bytes?.(text) ?? text);
}

const EMPTY: DraftObject = {
  _type: 'Targets',
  delegations: { keys: {}, roles: [] },
  expires: '2030-01-01T00:00:00Z',
  targets: {},
  version: 0,
};

async function post(repository: TestRepository, role: string, text: string): Promise<void> {
  const body =
    `--x\r\nContent-Disposition: form-data; name="files"; filename="${role}"\r\n` +
    `Content-Type: application/octet-stream\r\n\r\n${text}\r\n--x--\r\n`;
  const { status, text: answer } = await send(repository, 'POST', '', body);
  if (status !== 200) throw new Error(`the server refused the forged ${role}: ${answer}`);
}

function send(
  { bed, gun }: TestRepository,
  method: 'GET' | 'POST',
  file: string,
  body?: string,
): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  const url = `${bed.notary.url}/v2/${gun}/_trust/tuf/${file}`;
  return new Promise((resolve, reject) => {
    request(url, { method, headers, ca: bed.authority.certificatePem }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on('error', reject)
      .end(body);
  });
}

/** A moment so many milliseconds ahead, as Notary writes it. */
export function inMilliseconds(ahead: number): Date {
  return new Date(Math.ceil((Date.now() + ahead) / 1000) * 1000);
}

/** Resolves when a moment has passed. */
export async function passed(moment: Date): Promise<void> {
  while (Date.now() <= moment.getTime()) {
    await new Promise((resolve) => setTimeout(resolve, moment.getTime() - Date.now() + 1));
  }
}
