import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

/** Connections by the address and port of their peer, in the order in which they became idle. */
type Connections = Map<string, Socket>;

/**
 * Keeps a server at a number of connections. One more is always taken: then the one that has been
 * idle longest is closed, first of those that were never answered a review. A connection whose
 * request is still being received is idle, too, from the beginning of that request on.
 */
export function boundConnections(server: Server, most: number): void {
  const strangers: Connections = new Map();
  const known: Connections = new Map();
  const busy: Connections = new Map();
  const all = [strangers, known, busy];

  const placeOf = (key: string) => all.find((connections) => connections.has(key));
  const move = (key: string, socket: Socket, to: Connections) => {
    placeOf(key)?.delete(key);
    to.set(key, socket);
  };
  const closeLongestIdle = (newcomer: string) => {
    for (const connections of all) {
      for (const [key, socket] of connections) {
        if (key === newcomer) continue;
        connections.delete(key);
        socket.destroy();
        return;
      }
    }
  };

  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    move(key, socket, strangers);
    socket.once('close', () => placeOf(key)?.delete(key));
    if (strangers.size + known.size + busy.size > most) closeLongestIdle(key);
  });
  // The socket under it has the same peer.
  server.on('secureConnection', (socket) => move(keyOf(socket), socket, strangers));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const key = keyOf(socket);
    const place = placeOf(key);
    if (place) move(key, socket, place);
    request.once('end', () => {
      if (placeOf(key)) move(key, socket, busy);
    });
    response.once('close', () => {
      const wasReviewed = request.method === 'POST' && response.statusCode === 200;
      if (placeOf(key)) move(key, socket, wasReviewed ? known : strangers);
    });
  });
}

function keyOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
