/** The command line is wrong; `message` holds all that is. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}
