import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/**
 * Whether the peer of a connection has shown a certificate of the CA that has not expired. That the
 * handshake was fine is not enough: Node says so of each session that is resumed.
 */
export function isAuthenticated(socket: Socket): boolean {
  const { authorized, getPeerX509Certificate } = socket as Partial<TLSSocket>;
  if (authorized !== true) return false;
  const certificate = getPeerX509Certificate?.call(socket as TLSSocket);
  return certificate !== undefined && Date.parse(certificate.validTo) > Date.now();
}
