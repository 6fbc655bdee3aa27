'use strict';
/**
 * What an image starts: the program beside it, compiled with the code cache beside that. V8 refuses a
 * cache that another version, other flags or a broken file made; then the program is compiled as
 * without one, which takes longer and does the same. What V8 takes from a cache cannot import():
 * bundle.mjs leaves none in the programs.
 */
const { readFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const { Script } = require('node:vm');

const PROGRAM = join(__dirname, 'program.cjs');
const CODE_CACHE = join(__dirname, 'program.cache');
/** What Node puts around a CommonJS module. */
const [HEAD, TAIL] = ['(function (exports, require, module, __filename, __dirname) { ', '\n})'];

/**
 * @param cachedData undefined: without a cache
 * @returns a script whose value is the program as a function
 */
function compile(cachedData) {
  return new Script(HEAD + readFileSync(PROGRAM, 'utf8') + TAIL, {
    // A cache keeps this name for stack traces; with the directory it would be another one elsewhere.
    filename: basename(PROGRAM),
    columnOffset: -HEAD.length,
    cachedData,
  });
}

/** @returns the cache; undefined in an image that was built without one */
function readCodeCache() {
  try {
    return readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}

if (require.main === module) {
  const program = compile(readCodeCache()).runInThisContext();
  program.call(exports, exports, require, module, PROGRAM, __dirname);
} else {
  module.exports = { CODE_CACHE, compile, readCodeCache };
}
