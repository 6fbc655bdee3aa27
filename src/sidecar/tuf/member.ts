import type { Json } from './canonical-json.ts';
import type { KeyId, PublicKey } from './key.ts';
import type { Delegation, FileMeta, RoleKeys, RoleName } from './metadata.ts';
import * as shape from './shape.ts';
import type { Shape } from './shape.ts';

/** Readers of what several kinds of metadata are made of. They throw METADATA_INVALID. */
export function readDelegation(file: Shape, value: Json, path: string): Delegation {
  const role = shape.readObject(file, value, path, ['keyids', 'name', 'paths', 'threshold']);
  const paths = role.get('paths');
  return {
    ...readRoleKeys(file, role, path),
    name: shape.readString(file, role.get('name'), `${path}.name`) as RoleName,
    paths: paths === undefined ? [] : shape.readStrings(file, paths, `${path}.paths`),
  };
}

export function readRoleKeys(file: Shape, role: ReadonlyMap<string, Json>, path: string): RoleKeys {
  return {
    keyIds: shape.readStrings(
      file,
      shape.filled(role.get('keyids'), []),
      `${path}.keyids`,
    ) as KeyId[],
    threshold: shape.readInteger(file, role.get('threshold'), `${path}.threshold`, 1),
  };
}

export function readKeys(
  file: Shape,
  value: Json | undefined,
  path: string,
): ReadonlyMap<KeyId, PublicKey> {
  const keys = shape.readObject(file, value, path);
  return new Map(
    [...keys].map(([id, item]) => {
      const at = `${path}.${id}`;
      const key = shape.readObject(file, item, at, ['keytype', 'keyval']);
      const keyval = shape.readObject(file, key.get('keyval'), `${at}.keyval`, [
        'private',
        'public',
      ]);
      if (keyval.get('private') !== null) file.unknownMembers.push(`${at}.keyval.private`);
      return [
        id as KeyId,
        {
          keytype: shape.readString(file, key.get('keytype'), `${at}.keytype`),
          public: shape.readString(file, keyval.get('public'), `${at}.keyval.public`),
        },
      ];
    }),
  );
}

/** @param least what the length is at least; people may write anything into targets */
export function readFileMeta(
  file: Shape,
  value: Json | undefined,
  path: string,
  least = -Infinity,
): FileMeta {
  const meta = shape.readObject(file, value, path, ['custom', 'hashes', 'length']);
  const hashes = shape.readObject(file, meta.get('hashes'), `${path}.hashes`);
  const custom = meta.get('custom');
  return {
    length: shape.readInteger(file, meta.get('length'), `${path}.length`, least),
    hashes: new Map(
      [...hashes].map(([algorithm, hash]) => [
        algorithm,
        shape.readString(file, hash, `${path}.hashes.${algorithm}`),
      ]),
    ),
    // Go writes no null here; a file that has one would be hashed without it.
    ...(custom !== undefined && custom !== null && { custom }),
  };
}
