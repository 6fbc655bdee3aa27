import ecdsa from 'node-jose/lib/algorithms/ecdsa.js';
import rsassa from 'node-jose/lib/algorithms/rsassa.js';

/** What node-jose signs with. These parts of it are alone here: the whole takes twice as long to load. */
export const JOSE_ALGORITHMS = { ...ecdsa, ...rsassa };
