const DIGEST = /^@sha256:[0-9a-f]{64}$/;

/** Whether a reference is another one as it was, or with a digest added beside its tag. */
export function isPinned(before: string, after: string): boolean {
  if (after === before) return true;
  return (
    !before.includes('@') && after.startsWith(before) && DIGEST.test(after.slice(before.length))
  );
}

/** Whether two references have the same digest: it is the same image wherever it is pulled from. */
export function hasSameDigest(a: string, b: string): boolean {
  const digest = digestOf(a);
  return digest !== undefined && digest === digestOf(b);
}

function digestOf(reference: string): string | undefined {
  const at = reference.indexOf('@');
  return at < 0 ? undefined : reference.slice(at + 1);
}
