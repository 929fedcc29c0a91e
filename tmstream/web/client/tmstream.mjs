// For bundlers and Node: the same file, with exports.
import "./tmstream.js";

export const tmstream = globalThis.tmstream;
export const { connect, version, protocol } = tmstream;
export default tmstream;
