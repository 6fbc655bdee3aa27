import { isDeepStrictEqual } from 'node:util';
import { isOurAnnotation } from './annotation-name.ts';
import { PREFIX } from '../../shared/names.ts';
import { sortedEntries, type ConfigSource } from './notary-field.ts';

/** What an object says about signing, yet to be read: of any type and shape. */
export function configSource(kind: ConfigSource['kind'], object: unknown): ConfigSource {
  const metadata = member(object, 'metadata');
  const name = member(metadata, 'name') ?? member(metadata, 'generateName');
  return {
    kind,
    name: typeof name === 'string' ? name : '',
    labels: members(metadata, 'labels'),
    annotations: members(metadata, 'annotations'),
    section: kind === 'Namespace' ? undefined : member(member(object, 'spec'), 'notary'),
  };
}

/** Whether two objects say the same about signing, right or wrong. */
export function saysTheSame(one: ConfigSource, other: ConfigSource): boolean {
  try {
    return isDeepStrictEqual(ownWords(one), ownWords(other));
  } catch (error) {
    // Nested deeper than the stack is high: nothing that anybody wrote by hand.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function ownWords({ kind, labels, annotations, section }: ConfigSource): unknown {
  const isOurLabel = (name: string) => kind === 'Namespace' && name.startsWith(PREFIX);
  const own = (members: object, isOurs: (name: string) => boolean) =>
    sortedEntries(members).filter(([name]) => isOurs(name));
  return [section ?? undefined, own(annotations, isOurAnnotation), own(labels, isOurLabel)];
}

/** Whether it is being deleted. */
export function isGoing(object: unknown): boolean {
  return typeof member(member(object, 'metadata'), 'deletionTimestamp') === 'string';
}

/** The service account that an Image or Build is built with; v1alpha1 has another name for it. */
export function serviceAccountOf(object: unknown): string {
  const spec = member(object, 'spec');
  const name = member(spec, 'serviceAccountName') ?? member(spec, 'serviceAccount');
  return typeof name === 'string' && name !== '' ? name : 'default';
}

/** The tags that a Build pushes, or that an Image has its Builds push. */
export function tagsOf(kind: 'Image' | 'Build', object: unknown): readonly string[] {
  const spec = member(object, 'spec');
  const list = member(spec, kind === 'Image' ? 'additionalTags' : 'tags');
  const tags: readonly unknown[] = Array.isArray(list) ? list : [];
  return [...(kind === 'Image' ? [member(spec, 'tag')] : []), ...tags].filter(
    (tag) => typeof tag === 'string',
  );
}

function members(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const found = member(value, name);
  return isObject(found) ? found : {};
}

function member(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
