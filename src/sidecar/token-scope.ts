/**
 * Scopes as in the distribution token specification, each `<type>:<name>:<action>,<action>`; the
 * name may hold colons itself.
 */

/** What both lists ask for, without saying anything twice. */
export function joinScopes(first: readonly string[], second: readonly string[]): readonly string[] {
  const joined = new Map<string, Set<string>>();
  for (const scope of [...first, ...second]) {
    const { resource, actions } = parseScope(scope);
    joined.set(resource, new Set([...(joined.get(resource) ?? []), ...actions]));
  }
  return [...joined].map(([resource, actions]) => `${resource}:${[...actions].join(',')}`);
}

/** The name of the resource that a scope is about, such as a repository. */
export function resourceName(scope: string): string {
  const { resource } = parseScope(scope);
  return resource.slice(resource.indexOf(':') + 1);
}

function parseScope(scope: string): { resource: string; actions: readonly string[] } {
  const colon = scope.lastIndexOf(':');
  return { resource: scope.slice(0, colon), actions: scope.slice(colon + 1).split(',') };
}
