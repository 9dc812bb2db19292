// Imported before the library, in Deno: it has these since it runs programs of Node's too, and with
// them it would forgive a library that fails in a browser.
import { nodeGlobals } from "./node_globals.js";

for (const name of nodeGlobals) Reflect.deleteProperty(globalThis, name);
