import { isDeepStrictEqual } from 'node:util';
import { describeProblems } from '../shared/notary-config.ts';
import { readNotarySection, type ConfigSource } from '../shared/notary-section.ts';
import { PREFIX } from '../shared/names.ts';
import { allow, deny, type Verdict } from './admission.ts';

/**
 * Whether the notary section and annotations of an Image are well-formed, in either API version.
 * An update that leaves them as they were is allowed with a warning, as is one of an Image that is
 * being deleted: what got in malformed must not block other changes.
 */
export function validateImage(object: unknown, oldObject: unknown): Verdict {
  const source = imageSource(object);
  const { problems, warnings } = readNotarySection(source);
  if (problems.length === 0) return allow('WELL_FORMED', 'well-formed', warnings);
  const text = describeProblems(problems);
  const isUnchanged =
    oldObject !== undefined && oldObject !== null && sameConfig(object, oldObject);
  const isGoing = typeof member(member(object, 'metadata'), 'deletionTimestamp') === 'string';
  if (isUnchanged || isGoing) {
    return allow('MALFORMED_BEFORE', 'malformed, as before', [
      `malformed, as before: ${text}`,
      ...warnings,
    ]);
  }
  return deny(422, 'NOTARY_CONFIG_INVALID', text);
}

function sameConfig(object: unknown, oldObject: unknown): boolean {
  const [now, before] = [imageSource(object), imageSource(oldObject)];
  return (
    isDeepStrictEqual(now.section, before.section) &&
    isDeepStrictEqual(ownAnnotations(now), ownAnnotations(before))
  );
}

function ownAnnotations({ annotations }: ConfigSource): readonly [string, unknown][] {
  return Object.entries(annotations)
    .filter(([name]) => name.startsWith(PREFIX))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function imageSource(object: unknown): ConfigSource {
  const metadata = member(object, 'metadata');
  const annotations = member(metadata, 'annotations');
  const name = member(metadata, 'name') ?? member(metadata, 'generateName');
  return {
    kind: 'Image',
    name: typeof name === 'string' ? name : '',
    annotations: isObject(annotations) ? annotations : {},
    section: member(member(object, 'spec'), 'notary'),
  };
}

function member(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
