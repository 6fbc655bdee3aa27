/** The command line is wrong; `message` holds all that is. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** All that is wrong with a command line. */
export function usageError(problems: readonly string[]): SettingsError {
  return new SettingsError(`${problems.join('; ')}. See --help`);
}
