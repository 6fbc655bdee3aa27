/** The command line is wrong. `message` names all problems. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** One error for all problems of a command line. */
export function usageError(problems: readonly string[]): SettingsError {
  return new SettingsError(`${problems.join('; ')}. See --help`);
}
