import type { SignerSettings } from '../../shared/signer-flags.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { readText } from '../io/text-file.ts';
import type { Manifest } from '../tuf/publication.ts';
import type { RegistryAccess } from './registry-connection.ts';
import { parseReport, type BuildReport } from './report.ts';
import { readTags, type Tags } from './signing-plan.ts';

/**
 * The image to sign, as the report has it; what is not there is looked up at the registry.
 *
 * @throws SigningError REPORT_*, FILE_UNREADABLE, IMAGE_REFERENCE_INVALID, TAG_NOT_ALLOWED, and as
 * the look-ups
 */
export async function findImage(
  { source, allowedTags }: Pick<SignerSettings, 'source' | 'allowedTags'>,
  access: RegistryAccess,
): Promise<{ readonly tags: Tags; readonly manifest: Manifest }> {
  const report = 'report' in source ? await readReport(source.report) : undefined;
  // Before anything is asked: a tag says which registry gets credentials.
  const tags = readTags('tags' in source ? source.tags : (report?.tags ?? []), allowedTags);
  if (report?.length !== undefined) {
    return { tags, manifest: { sha256: report.sha256, length: report.length } };
  }
  const { lookUpSize, lookUpTags } = await import('./image-lookup.ts');
  const manifest = await (report
    ? lookUpSize(report.sha256, tags, access)
    : lookUpTags(tags, access));
  return { tags, manifest };
}

async function readReport(file: string): Promise<BuildReport> {
  const text = await readText(file);
  if (text === undefined) throw new SigningError('REPORT_MISSING', `there is no ${file}`);
  return parseReport(text);
}
