/**
 * The value of an Authorization header, and the one server that may see it, over https alone. The HTTP
 * client asks for the header of each URL that it sends a request to: no redirect leads it elsewhere.
 */
export class Authorization {
  readonly #value: string;
  readonly #origin: string;

  constructor(value: string, server: URL) {
    this.#value = value;
    this.#origin = server.origin;
  }

  /** Undefined where the URL is another server's. */
  headerFor({ protocol, origin }: URL): string | undefined {
    return protocol === 'https:' && origin === this.#origin ? this.#value : undefined;
  }
}
