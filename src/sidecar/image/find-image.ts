import { SigningError } from '../../shared/signing-error.ts';
import type { HttpClient } from '../http/http-client.ts';
import type { LookupOptions } from './image-lookup.ts';
import type { Manifest } from './manifest.ts';
import { parseReport, type BuildReport } from './report.ts';
import type { SignerSettings } from '../../shared/signer-flags.ts';
import { readTags, type Tags } from './signing-plan.ts';
import { readText } from '../io/text-file.ts';

/** The image that a build pushed. */
export interface BuiltImage {
  readonly tags: Tags;
  readonly manifest: Manifest;
}

/** What it takes to ask a registry. */
export interface ImageSources extends Omit<LookupOptions, 'http'> {
  /** The client, where there is something to ask; it stays open. */
  readonly client: () => HttpClient;
}

/**
 * The image to sign, as the report has it; what is not there is looked up at the registry.
 *
 * @throws SigningError REPORT_*, FILE_UNREADABLE, IMAGE_REFERENCE_INVALID, TAG_NOT_ALLOWED, and as
 * the look-ups
 */
export async function findImage(
  { source, allowedTags }: Pick<SignerSettings, 'source' | 'allowedTags'>,
  { client, ...options }: ImageSources,
): Promise<BuiltImage> {
  const report = 'report' in source ? await readReport(source.report) : undefined;
  // Before anything is asked: a tag says which registry gets credentials.
  const tags = readTags('tags' in source ? source.tags : (report?.tags ?? []), allowedTags);
  if (report?.manifestSize !== undefined) {
    return { tags, manifest: { sha256: report.sha256, size: report.manifestSize } };
  }
  const { lookUpSize, lookUpTags } = await import('./image-lookup.ts');
  const http = client();
  const manifest = report
    ? await lookUpSize(report.sha256, tags, { http, ...options })
    : await lookUpTags(tags, { http, ...options });
  return { tags, manifest };
}

async function readReport(file: string): Promise<BuildReport> {
  const text = await readText(file);
  if (text === undefined) throw new SigningError('REPORT_MISSING', `there is no ${file}`);
  return parseReport(text);
}
