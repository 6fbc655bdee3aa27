import { readPem, type PemText } from '../../shared/pem.ts';
import { SigningError } from '../../shared/signing-error.ts';
import type { SigningKey } from '../tuf/publication.ts';
import type { Work } from '../tuf/work.ts';
import { DERIVATION_STEPS, openBlock } from './key-block.ts';
import { signingKey } from './key-signer.ts';
import { damageOf, unusableFile } from './unusable-key-file.ts';
import type { Password } from './password.ts';

/** One `*.key` file of the signing Secret. */
export interface KeyFile {
  readonly name: string;
  readonly pem: string;
}

export interface OpenedKeys {
  /** At least one, each once. */
  readonly keys: readonly SigningKey[];
  /** Why others could not be opened: a root key that has its own password is common. */
  readonly unopened: readonly SigningError[];
  /** A sentence for each file that is named after another key than it holds. */
  readonly misnamed: readonly string[];
}

type ReadFile = KeyFile & { readonly text: PemText };

/** Far more keys than a repository has roles. */
const MOST_KEYS = 100;
/** What to say first where no key opens: what is easiest to put right. */
const URGENCY = ['KEY_PASSWORD_WRONG', 'KEY_PASSWORD_MISSING'];
/** `<key id>.key`, and as Notary 0.1 had it: `<key id>_targets.key`. */
const KEY_ID_NAME = /^([0-9a-f]{64})(?:_[a-z]+)?\.key$/i;

/**
 * Opens every key of the files. The Notary and docker CLIs write PKCS#8 with headers (`role:`,
 * `gun:`) that no other program reads, and put several keys into one file when they export.
 *
 * @throws SigningError KEY_MISSING; where none can be opened, KEY_INVALID, KEY_PASSWORD_MISSING or
 * KEY_PASSWORD_WRONG, with the reason for each
 */
export function* openKeys(
  files: readonly KeyFile[],
  password: Password | undefined,
): Work<OpenedKeys> {
  if (files.length === 0) {
    throw new SigningError('KEY_MISSING', 'the signing Secret holds no *.key file');
  }
  const read = files.map((file): ReadFile => ({ ...file, text: readPem(file.pem) }));
  const unopened = read.flatMap(damagedKeys);
  const blocks = read.flatMap((file) => keyBlocks(file, unopened));
  if (blocks.length > MOST_KEYS) {
    const what = `the signing Secret holds ${blocks.length} private keys; ${MOST_KEYS} are the most that are read`;
    const fix = 'Put only the keys of this repository into the Secret.';
    throw new SigningError('KEY_INVALID', what, { fix });
  }
  const budget = { steps: DERIVATION_STEPS };
  const keys: SigningKey[] = [];
  for (const { file, where, block } of blocks) {
    try {
      keys.push(signingKey(file, yield* openBlock(block, where, password, budget)));
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      unopened.push(error);
    }
  }
  if (keys.length === 0) throw oneErrorOf(unopened);
  return {
    keys: [...new Map(keys.map((key) => [key.canonicalId, key])).values()],
    unopened,
    misnamed: files.flatMap(({ name }) => misnaming(name, keys)),
  };
}

/** A file with whole keys, and others that are not. */
function damagedKeys({ name, text: { blocks, damaged } }: ReadFile): SigningError[] {
  if (!blocks.some(({ label }) => isPrivate(label))) return [];
  return damaged
    .filter(({ label }) => isPrivate(label))
    .slice(0, MOST_KEYS)
    .map((block) => new SigningError('KEY_INVALID', `${name}: ${damageOf(block)}`));
}

function isPrivate(label: string): boolean {
  return label.endsWith('PRIVATE KEY');
}

/** @param unopened gets an error when the file holds no private key */
function keyBlocks({ name, pem, text }: ReadFile, unopened: SigningError[]) {
  const blocks = text.blocks.filter(({ label }) => isPrivate(label));
  if (blocks.length === 0) {
    const { what, fix } = unusableFile(pem, text);
    const message = `${name} holds no private key: ${what}`;
    unopened.push(new SigningError('KEY_INVALID', message, { fix }));
  }
  return blocks.map((block, i) => {
    const role = block.headers.get('role');
    const facts = [
      ...(blocks.length > 1 ? [`key ${i + 1} of ${blocks.length}`] : []),
      ...(role === undefined ? [] : [`role ${role.slice(0, 40)}`]),
    ];
    const where = facts.length === 0 ? name : `${name} (${facts.join(', ')})`;
    return { file: name, where, block };
  });
}

/** One error for all files, where none can be opened. */
function oneErrorOf(unopened: readonly SigningError[]): SigningError {
  const urgent = URGENCY.map((code) => unopened.find((error) => error.code === code));
  const [first] = [...urgent, ...unopened].filter((error) => error !== undefined);
  if (!first) throw new Error('a file without a key is without an error');
  if (unopened.length === 1) return first;
  const { code, fix } = first;
  const message = unopened.map((error) => error.message).join('; ');
  return new SigningError(code, message, { fix, cause: first });
}

function misnaming(name: string, keys: readonly SigningKey[]): readonly string[] {
  const [, id] = KEY_ID_NAME.exec(name) ?? [];
  const held = keys.filter(({ file }) => file === name).map(({ canonicalId }) => canonicalId);
  if (id === undefined || held.length === 0) return [];
  if (held.some((canonicalId) => canonicalId === id.toLowerCase())) return [];
  return [`${name} is named after another key: it holds ${held.join(', ')}`];
}
