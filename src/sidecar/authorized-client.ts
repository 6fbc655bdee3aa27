import { SigningError } from '../shared/signing-error.ts';
import type { CredentialLookup } from './credentials.ts';
import type { HttpClient, HttpRequest, HttpResponse } from './http-client.ts';

/** Sends requests to one server for one repository, with the authorization that the server wants. */
export interface AuthorizedClient {
  /**
   * Never answers 401: what the server wants is got and sent, or it is an error.
   *
   * @throws SigningError CREDENTIALS_*, PUSH_DENIED (to a POST), SERVER_*, DEADLINE_EXCEEDED
   */
  send(request: HttpRequest): Promise<HttpResponse>;
}

export interface AuthorizedClientOptions {
  readonly http: HttpClient;
  /** URL of the server; requests to any other origin are a mistake of ours. */
  readonly server: URL | string;
  /** What tokens are asked for, such as `repository:<name>:push,pull`. */
  readonly scope: string;
  readonly credentials: CredentialLookup;
}

export function createAuthorizedClient(options: AuthorizedClientOptions): AuthorizedClient {
  void options;
  return { send: () => Promise.reject(new SigningError('INTERNAL', 'to be written')) };
}
