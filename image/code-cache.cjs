'use strict';
/**
 * Script of the image build: `node code-cache.cjs make|make-whole|check START`, where START is start.cjs beside
 * the program. Run by the node of the image, without flags that the program is not run with: V8 accepts a
 * cache from itself and the same flags alone. (A random seed is no such flag.)
 */
const { chmodSync, writeFileSync } = require('node:fs');
const { resolve } = require('node:path');
const { setFlagsFromString } = require('node:v8');

const [task, start = ''] = process.argv.slice(2);
const { CODE_CACHE, compile, readCodeCache } = require(resolve(start));

if (task !== 'check') {
  // Made before anything of the program has run: what it compiles later, and which flags it sets,
  // would be in the cache. V8 puts few functions into it by itself, and `make-whole` all of them: good for
  // a program that calls most of them, once. A cache is good under the flags with which it is written.
  if (task === 'make-whole') setFlagsFromString('--no-lazy');
  const script = compile();
  setFlagsFromString('--lazy');
  writeFileSync(CODE_CACHE, script.createCachedData());
  chmodSync(CODE_CACHE, 0o444);
} else {
  const { cachedDataRejected } = compile(readCodeCache());
  if (cachedDataRejected !== false) {
    console.error(
      `the code cache ${CODE_CACHE} was ${cachedDataRejected ? 'refused by V8' : 'not found'}: ` +
        'make and check must be run by the same node, with the same flags (NODE_OPTIONS, too)',
    );
    process.exitCode = 1;
  }
}
