declare module 'dynalite' {
  import type { Server } from 'node:http';
  // biome-ignore lint/style/noDefaultExport: that is how the package exports it.
  export default function dynalite(options: { createTableMs?: number; deleteTableMs?: number }): Server;
}
