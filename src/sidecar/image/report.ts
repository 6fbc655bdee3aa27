import { parse, TomlError } from 'smol-toml';
import { SigningError } from '../../shared/signing-error.ts';
import type { Manifest } from '../tuf/publication.ts';

/** What the export or rebase step says it pushed. */
export interface BuildReport extends Omit<Manifest, 'length'> {
  readonly tags: readonly string[];
  /** Older lifecycles do not report it. */
  readonly length: number | undefined;
}

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/**
 * Reads report.toml as the Cloud Native Buildpacks platform specification defines it.
 *
 * @throws SigningError REPORT_INVALID
 */
export function parseReport(text: string): BuildReport {
  const image = table(parseToml(text), 'image');
  const tags = image['tags'] ?? [];
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
    throw invalid('image.tags is not a list of strings');
  }
  const digest = image['digest'];
  const sha256 = typeof digest === 'string' ? DIGEST.exec(digest)?.[1] : undefined;
  if (sha256 === undefined) throw invalid('image.digest is not sha256:<64 hex digits>');
  const length = image['manifest-size'] ?? 0;
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
    throw invalid('image.manifest-size is not a number of bytes');
  }
  return { tags, sha256, length: length || undefined };
}

function parseToml(text: string): unknown {
  try {
    // A bill of materials holds integers of 64 bits, which do not matter here.
    return parse(text, { integersAsBigInt: 'asNeeded' });
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new SigningError(
      'REPORT_INVALID',
      `report.toml is not TOML: line ${cause.line}, column ${cause.column}`,
      { cause },
    );
  }
}

function table(value: unknown, name: string): Readonly<Record<string, unknown>> {
  const member = (value as Readonly<Record<string, unknown>>)[name];
  if (typeof member !== 'object' || member === null || Array.isArray(member)) {
    throw invalid(`there is no [${name}] table`);
  }
  return member as Readonly<Record<string, unknown>>;
}

function invalid(what: string): SigningError {
  return new SigningError('REPORT_INVALID', `report.toml cannot be used: ${what}`);
}
