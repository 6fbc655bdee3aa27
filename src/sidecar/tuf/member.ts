import { SigningError } from '../../shared/signing-error.ts';
import type { Json } from './canonical-json.ts';
import type { KeyId, PublicKey } from './key.ts';
import type { Delegation, FileMeta, RoleKeys, RoleName } from './metadata.ts';

export interface FileReading {
  /** The file, as messages name it: `root.json`. */
  readonly file: string;
  /** Paths of the members that are not known: to sign the file again would lose them. */
  readonly unknownMembers: string[];
}

/** The members of an object, by name. */
type Members = (name: string) => Member;

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
/** Go's int64 ends before it. */
const BEYOND_INT64 = 2 ** 63;

/** A step of a path to a name that may hold anything. */
export const quoted = (name: string) => `[${JSON.stringify(name)}]`;

/** A value in a metadata file, and its place. What is not as it must be is an error that names the place. */
export class Member {
  readonly value: Json | undefined;
  readonly #path: string;
  readonly #reading: FileReading;

  constructor(reading: FileReading, path: string, value: Json | undefined) {
    this.#reading = reading;
    this.#path = path;
    this.value = value;
  }

  /** The members of an object; others than the known ones are noted. */
  object(...known: readonly string[]): Members {
    const members = this.#members();
    for (const name of members.keys())
      if (!known.includes(name)) this.#at(`.${name}`).noteUnknown();
    return (name) => this.#at(`.${name}`, members.get(name));
  }

  /** The members of an object in which any name is a key. */
  entries(step = (name: string) => `.${name}`): readonly [string, Member][] {
    return [...this.#members()].map(([name, value]) => [name, this.#at(step(name), value)]);
  }

  /**
   * Go writes null for a list or map that was emptied: as "roles" when the last delegation is removed,
   * as "keyids" when the last key of one is.
   */
  nullAs(empty: Json): Member {
    return this.value === null ? this.#at('', empty) : this;
  }

  list(): readonly Member[] {
    if (!Array.isArray(this.value)) throw this.malformed('a list');
    return (this.value as readonly Json[]).map((item, i) => this.#at(`[${i}]`, item));
  }

  string(): string {
    if (typeof this.value !== 'string') throw this.malformed('a string');
    return this.value;
  }

  strings(): string[] {
    return this.list().map((item) => item.string());
  }

  /** An integer of at least `least`, as Go reads one; beyond 2^53 it is rounded. */
  integer(least: number): number {
    const { value } = this;
    const isInteger = Number.isInteger(value) && Math.abs(Number(value)) < BEYOND_INT64;
    if (typeof value === 'number' && isInteger && value >= least) return value;
    throw this.malformed(`an integer${Number.isFinite(least) ? ` of at least ${least}` : ''}`);
  }

  /** A moment as RFC 3339 writes it, left as it is: Go writes nanoseconds, which Date would cut. */
  time(): string {
    const text = this.string();
    if (RFC_3339.test(text) && !Number.isNaN(Date.parse(text))) return text;
    throw this.malformed('an RFC 3339 time');
  }

  malformed(expected: string): SigningError {
    const what = `${this.#reading.file}: ${this.#path} is not ${expected}`;
    return new SigningError('METADATA_INVALID', what);
  }

  noteUnknown(): void {
    this.#reading.unknownMembers.push(this.#path);
  }

  #members(): ReadonlyMap<string, Json> {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.malformed('an object');
    }
    return new Map(Object.entries(value));
  }

  #at(step: string, value?: Json): Member {
    return new Member(this.#reading, `${this.#path}${step}`, value);
  }
}

/** Readers of what several kinds of metadata are made of. They throw METADATA_INVALID. */
export function readDelegation(delegation: Member): Delegation {
  const member = delegation.object('keyids', 'name', 'paths', 'threshold');
  const paths = member('paths');
  return {
    ...readRoleKeys(member),
    name: member('name').string() as RoleName,
    paths: paths.value === undefined ? [] : paths.strings(),
  };
}

export function readRoleKeys(member: Members): RoleKeys {
  return {
    keyIds: member('keyids').nullAs([]).strings() as KeyId[],
    threshold: member('threshold').integer(1),
  };
}

export function readKeys(keys: Member): ReadonlyMap<KeyId, PublicKey> {
  return new Map(
    keys.entries().map(([id, key]) => {
      const member = key.object('keytype', 'keyval');
      const keyval = member('keyval').object('private', 'public');
      if (keyval('private').value !== null) keyval('private').noteUnknown();
      const [keytype, text] = [member('keytype').string(), keyval('public').string()];
      return [id as KeyId, { keytype, public: text }];
    }),
  );
}

/** @param least what the length is at least; people may write anything into targets */
export function readFileMeta(meta: Member, least = -Infinity): FileMeta {
  const member = meta.object('custom', 'hashes', 'length');
  const hashes = member('hashes').entries();
  const custom = member('custom').value;
  return {
    length: member('length').integer(least),
    hashes: new Map(hashes.map(([algorithm, hash]) => [algorithm, hash.string()])),
    // Go writes no null here; a file that has one would be hashed without it.
    ...(custom !== undefined && custom !== null && { custom }),
  };
}
