/** Files of roles, fetched and posted by hand: for what no tool shows, or signs. */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { ShapedRepository } from './shaped-repository.ts';
import { canonical, goWire, type DraftObject } from './trust/draft.ts';
import { signText } from './trust/key.ts';

/** A file of targets or a delegation. */
export interface RoleFile {
  readonly signed: DraftObject & { version: number; expires: string; targets: DraftObject };
  readonly signatures: readonly { readonly keyid: string; readonly method: string }[];
}

/** Seconds in which a slow machine brings a file to the server. */
const SHORTEST_LIFE = 3;

/** The file that a server has for a role now. */
export async function fetchRole({ bed, gun }: ShapedRepository, role: string): Promise<RoleFile> {
  const url = `${bed.notary.url}/v2/${gun}/_trust/tuf/${role}.json`;
  return JSON.parse((await call(url, bed.authority.certificatePem)).toString()) as RoleFile;
}

/**
 * Publishes a delegation once more, to run out in a few seconds, and waits until it has: no tool
 * signs for less than years.
 *
 * @param keyName of its key among the repository's files
 */
export async function expire(
  repository: ShapedRepository,
  role: string,
  keyName: string,
): Promise<void> {
  const { bed, gun, directory } = repository;
  const file = await fetchRole(repository, role);
  const privateKey = createPrivateKey(await readFile(join(directory, `${keyName}.pem`)));
  const end = Math.ceil(Date.now() / 1000) + SHORTEST_LIFE;
  const signed = {
    ...file.signed,
    version: file.signed.version + 1,
    expires: new Date(end * 1000).toISOString().replace('.000Z', 'Z'),
  };
  const [signature] = file.signatures;
  if (!signature) throw new Error(`${role} has no signature`);
  const { keyid, method } = signature;
  const sig = signText(canonical(signed), { method: 'ecdsa', privateKey }).toString('base64');
  const bytes = goWire({ signed, signatures: [{ keyid, method, sig }] });
  const form = new FormData();
  form.append('files', new Blob([bytes]), role);
  await call(`${bed.notary.url}/v2/${gun}/_trust/tuf/`, bed.authority.certificatePem, form);
  while (Date.now() <= end * 1000) await pause(end * 1000 - Date.now() + 1);
}

/** What a server answers with 200, to a GET, or to the POST of a form. */
export async function call(url: string, ca: string, form?: FormData): Promise<Buffer> {
  const encoded = form && new Response(form);
  const type = encoded?.headers.get('content-type');
  const sent = request(url, {
    ca,
    method: form ? 'POST' : 'GET',
    headers: type ? { 'content-type': type } : {},
  });
  sent.end(encoded && Buffer.from(await encoded.arrayBuffer()));
  return new Promise((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (answer) => {
      buffer(answer).then((body) => {
        if (answer.statusCode === 200) resolve(body);
        else reject(new Error(`${url} answered ${answer.statusCode}: ${body.toString()}`));
      }, reject);
    });
  });
}
