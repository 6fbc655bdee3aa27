import { sameQuantity } from './quantity.ts';

/** Lists to which others may add; all other lists must be equal. */
const OPEN_LISTS = new Set(['env', 'volumeMounts']);
/** Set by the admission plug-in AlwaysPullImages. */
const FREE_MEMBERS = new Set(['imagePullPolicy']);

/**
 * Where something that other admission plug-ins have seen since is no longer what we made; undefined
 * when all of ours still stands. What others add beside it is theirs: defaults, mounts, variables.
 *
 * @param ours as we would make it now
 * @param path where we are, for the answer
 */
export function whyDifferent(ours: unknown, theirs: unknown, path: string): string | undefined {
  if (Array.isArray(ours)) {
    const list = Array.isArray(theirs) ? (theirs as unknown[]) : [];
    const isOpen = OPEN_LISTS.has(path.split('.').at(-1) ?? '');
    if (!isOpen && list.length !== ours.length) return `${path} has been changed`;
    for (const [i, item] of ours.entries()) {
      const isThere = isOpen
        ? list.some((other) => whyDifferent(item, other, path) === undefined)
        : whyDifferent(item, list[i], path) === undefined;
      if (!isThere) return `${path} has been changed`;
    }
    return undefined;
  }
  if (typeof ours === 'object' && ours !== null) {
    const members = (typeof theirs === 'object' ? theirs : undefined) as
      Readonly<Record<string, unknown>> | null | undefined;
    for (const [name, value] of Object.entries(ours)) {
      if (FREE_MEMBERS.has(name)) continue;
      const difference = whyDifferent(value, members?.[name], `${path}.${name}`);
      if (difference !== undefined) return difference;
    }
    return members ? undefined : `${path} is missing`;
  }
  const isQuantity = /\.(requests|limits)\./.test(path);
  if (ours === theirs || (isQuantity && sameQuantity(ours, theirs))) return undefined;
  return `${path} has been changed`;
}
