'use strict';
/**
 * Script of the image build: `node code-cache.cjs make|check START`, where START is start.cjs beside the
 * program. Run by the node of the image, without flags that the program is not run with: V8 accepts a
 * cache from itself and the same flags alone. (A random seed is no such flag.)
 */
const { chmodSync, writeFileSync } = require('node:fs');
const { resolve } = require('node:path');

const [task, start = ''] = process.argv.slice(2);
const { CODE_CACHE, compile, readCodeCache } = require(resolve(start));

if (task === 'make') {
  // Made before anything of the program has run: what it compiles later, and which flags it sets,
  // would be in the cache.
  writeFileSync(CODE_CACHE, compile({ produceCachedData: true }).cachedData);
  chmodSync(CODE_CACHE, 0o444);
} else {
  const { cachedDataRejected } = compile({ cachedData: readCodeCache() });
  if (cachedDataRejected !== false) {
    console.error(
      `the code cache ${CODE_CACHE} was ${cachedDataRejected ? 'refused by V8' : 'not found'}: ` +
        'make and check must be run by the same node, with the same flags (NODE_OPTIONS, too)',
    );
    process.exitCode = 1;
  }
}
