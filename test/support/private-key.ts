/** Private keys in files, as openssl and the programs of Notary write them. */
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bareKey } from '../../src/sidecar/tuf/key.ts';
import { finish } from '../../src/sidecar/tuf/work.ts';
import { readPassword, type Password } from '../../src/sidecar/keys/password.ts';
import * as signingKey from '../../src/sidecar/keys/signing-key.ts';
import type { KeyFile, OpenedKeys } from '../../src/sidecar/keys/signing-key.ts';
import type { SigningKey } from '../../src/sidecar/tuf/publication.ts';
import { canonical } from './trust/draft.ts';
import { temporaryDirectory } from '../bed/temporary-directory.ts';

/** What every key here is encrypted with. */
export const PASSWORD = 'correct horse';

/** A private key by openssl. */
export interface OpensslKey {
  /** Where it is, not encrypted. */
  readonly file: string;
  /** PKCS#8, not encrypted. */
  readonly plain: string;
  /** The encrypted form of it, made anew with further options of `openssl pkcs8`. */
  readonly encrypt: (...options: readonly string[]) => string;
}

/** A place for keys, and the programs that make them. */
export interface KeyDirectory {
  readonly directory: string;
  /** Runs a program at home in the directory, with no environment but this; returns its stdout. */
  readonly run: (
    program: string,
    args: readonly string[],
    environment?: Readonly<Record<string, string>>,
  ) => string;
  /** Makes a key with options of `openssl genpkey -pkeyopt`. */
  readonly opensslKey: (name: string, options: readonly string[], algorithm?: string) => OpensslKey;
}

/** A directory for keys, which goes when the process ends. */
export function makeKeyDirectory(): KeyDirectory {
  const directory = temporaryDirectory();
  const run: KeyDirectory['run'] = (program, args, environment = {}) =>
    execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: directory, ...environment },
    });
  const opensslKey: KeyDirectory['opensslKey'] = (name, options, algorithm = 'EC') => {
    const file = join(directory, `${name}.pem`);
    run('openssl', [
      ...['genpkey', '-algorithm', algorithm, '-out', file],
      ...options.flatMap((option) => ['-pkeyopt', option]),
    ]);
    const encrypt = (...more: readonly string[]) =>
      run('openssl', ['pkcs8', '-topk8', '-in', file, '-passout', `pass:${PASSWORD}`, ...more]);
    return { file, plain: readFileSync(file, 'utf8'), encrypt };
  };
  return { directory, run, opensslKey };
}

/** The headers that Notary puts into the PEM block of a key. */
export function withHeaders(pem: string, ...headers: readonly string[]): string {
  return pem.replace(
    /^(-----BEGIN .*-----\n)/m,
    `$1${headers.map((line) => `${line}\n`).join('')}\n`,
  );
}

/** The key id of a plain private key, computed apart from what is tested. */
export function canonicalIdOf(pem: string): string {
  const key = bareKey(createPublicKey(pem));
  const json = { keytype: key.keytype, keyval: { private: null, public: key.public } };
  return createHash('sha256').update(canonical(json)).digest('hex');
}

/** A password as its file would hold it. */
export function asPassword(text: string): Password;
export function asPassword(text: string | undefined): Password | undefined;
export function asPassword(text: string | undefined): Password | undefined {
  return text === undefined ? undefined : readPassword([Buffer.from(text)]);
}

/** Opens all keys at once. */
export function openKeys(files: readonly KeyFile[], password: Password | undefined): OpenedKeys {
  return finish(signingKey.openKeys(files, password));
}

/** Opens what is in one file, `x.key`. */
export function openPem(pem: string, password?: string): OpenedKeys {
  return openKeys([{ name: 'x.key', pem }], asPassword(password));
}

/** Opens a file that holds one key. */
export function openKey(pem: string, password?: string): SigningKey {
  const { keys, unopened } = openPem(pem, password);
  const [key] = keys;
  if (!key || keys.length > 1 || unopened.length > 0) throw new Error('not one key');
  return key;
}
