import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

/** Kinds of connections. Those of the first kind are closed first. */
const KINDS = ['stranger', 'reviewed', 'busy'] as const;
type Kind = (typeof KINDS)[number];

/**
 * Keeps a server at a number of connections. One more is always taken: then the one that has been
 * idle longest is closed, first of those that were never answered a review. A connection whose
 * request is still being received is idle, too, from the beginning of that request on.
 */
export function boundConnections(server: Server, most: number): void {
  /** By the address and port of their peer, in the order in which they became idle. */
  const connections = new Map<string, { readonly socket: Socket; readonly kind: Kind }>();

  const put = (socket: Socket, kind: Kind) => {
    if (socket.destroyed) return;
    const key = keyOf(socket);
    connections.delete(key);
    connections.set(key, { socket, kind });
  };
  const closeLongestIdle = () => {
    for (const sought of KINDS) {
      for (const [key, { socket, kind }] of connections) {
        if (kind !== sought) continue;
        connections.delete(key);
        socket.destroy();
        return;
      }
    }
  };

  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    if (connections.size >= most) closeLongestIdle();
    put(socket, 'stranger');
    socket.once('close', () => connections.delete(key));
  });
  // The socket under it has the same peer.
  server.on('secureConnection', (socket) => put(socket, 'stranger'));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    put(socket, connections.get(keyOf(socket))?.kind ?? 'stranger');
    request.once('end', () => put(socket, 'busy'));
    response.once('close', () => {
      const wasReviewed = request.method === 'POST' && response.statusCode === 200;
      put(socket, wasReviewed ? 'reviewed' : 'stranger');
    });
  });
}

function keyOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
