/** What a token may be used for: one repository, and what is done there. Made here, never by a server. */
export interface TokenScope {
  readonly repository: string;
  readonly actions: 'pull' | 'push,pull';
}

/** A scope as in the distribution token specification; the name may hold colons. */
export function formatScope({ repository, actions }: TokenScope): string {
  return `repository:${repository}:${actions}`;
}
