/** Globals of Node that no browser has. */
export const nodeGlobals = ["process", "Buffer", "global", "setImmediate", "clearImmediate"];
