/** What a run of the signer was given in secret, by its command line, and the check that it keeps it. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  demandNoSecrets,
  secretsOfFiles,
  secretsOfUrl,
  type Secret,
  type ProgramOutputs,
} from '../bed/secret-watch.ts';
import { issuedTokens } from '../bed/token-server.ts';

/** A command line, as it was run; words that are no flags of the signer do not matter. */
export interface RunWords {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Flags that name the directory of a mounted Secret; for a host, some of them. */
const SECRET_FLAG =
  /^--(?:key-dir|v2-key-dir|notary-credentials|registry-credentials)=(?:[^=]*=)?(.+)$/;
/** Flags that name a file which the signer writes. */
const OUTPUT_FLAG = /^--(receipt|termination-log|done-file|error-file)=(.+)$/;

/**
 * Looks for every secret of a run in all that it wrote. Tokens that any server of this process made
 * are secrets of every run.
 *
 * @param told what it wrote to its streams
 * @throws Error with the kind of the secret and the place where it was told, and never its value
 */
export async function demandSecretsKept(run: RunWords, told: ProgramOutputs): Promise<void> {
  const tokens = issuedTokens().map((token) => ({ kind: 'a token', forms: tokenForms(token) }));
  demandNoSecrets([...(await secretsGiven(run)), ...tokens], { ...told, ...(await written(run)) });
}

/** Every secret that the words of a run hold, or lead to. */
export async function secretsGiven({ args, env = {} }: RunWords): Promise<readonly Secret[]> {
  const directories = args.flatMap((word) => SECRET_FLAG.exec(word)?.[1] ?? []);
  const mounted = await Promise.all(
    directories.map(async (directory) =>
      secretsOfFiles(basename(directory), await filesOf(directory)),
    ),
  );
  const variables = Object.entries(env).flatMap(([name, value]) => secretsOfUrl(name, value));
  return [
    ...mounted.flat(),
    ...variables,
    ...args.flatMap((word) => secretsOfUrl('a password in a flag', word)),
  ];
}

/** The payload and the signature of a token; its header holds nothing but a certificate. */
function tokenForms(token: string): readonly string[] {
  return token.split('.').slice(1);
}

async function written({ args }: RunWords): Promise<ProgramOutputs> {
  const files = args.flatMap((word) => {
    const [, name = '', file = ''] = OUTPUT_FLAG.exec(word) ?? [];
    return file === '' || file.startsWith('/dev/') ? [] : [[name, file] as const];
  });
  const texts = await Promise.all(
    files.map(async ([name, file]) => [name, await textOf(file)] as const),
  );
  return Object.fromEntries(texts);
}

async function filesOf(directory: string): Promise<Readonly<Record<string, string>>> {
  const names = await readdir(directory).catch(() => []);
  const texts = await Promise.all(
    names.map(async (name) => [name, await textOf(join(directory, name))] as const),
  );
  return Object.fromEntries(texts);
}

/** What cannot be read has told nobody anything. */
function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
