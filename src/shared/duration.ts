const FORM = /^(?=\d)(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/;
/** A hundred years: no certificate lasts longer, and no date overflows. */
const LONGEST_MS = 100 * 366 * 24 * 3600 * 1000;

/** What {@link parseDuration} reads. */
export const DURATION_FORM = 'a duration in hours, minutes and seconds, above zero, such as 8760h';

/**
 * Milliseconds of a duration as Kubernetes and Go write it: `8760h`, `1h30m`. Undefined where it is
 * something else, zero, or more than a hundred years.
 */
export function parseDuration(text: string): number | undefined {
  const [, hours = 0, minutes = 0, seconds = 0] = FORM.exec(text) ?? [];
  const milliseconds = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return milliseconds > 0 && milliseconds <= LONGEST_MS ? milliseconds : undefined;
}
