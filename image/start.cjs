'use strict';
/**
 * What an image starts: the program beside it, compiled with the code cache beside that. V8 refuses a
 * cache that another version, other flags or a broken file made; then the program is compiled as
 * without one, which takes longer and does the same.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { compileFunction, constants } = require('node:vm');

const PROGRAM = join(__dirname, 'program.cjs');
const CODE_CACHE = join(__dirname, 'program.cache');
/** What Node gives to a CommonJS module. */
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/** @returns the program as a function, with `cachedDataRejected` where it was given a cache */
function compile(options) {
  return compileFunction(readFileSync(PROGRAM, 'utf8'), PARAMETERS, {
    filename: PROGRAM,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...options,
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
  const program = compile({ cachedData: readCodeCache() });
  program.call(exports, exports, require, module, PROGRAM, __dirname);
} else {
  module.exports = { CODE_CACHE, compile, readCodeCache };
}
