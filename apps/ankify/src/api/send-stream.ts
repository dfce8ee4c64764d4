/** Server-sent events to one caller (HTML, "Server-sent events"): bounded in time, kept alive, dropped when not read. */
import type { ServerResponse } from 'node:http';
import type { EventStream } from './route.ts';

/** Below the 20 s after which front doors think of cutting, and the 60 s of most load balancers. */
const keepAliveMs = 15_000;
/** Nothing here lives longer; a client opens it again. */
const longestMs = 10 * 60_000;
/** A caller that reads nothing: events are small, so this is thousands of them. */
const maxWaitingBytes = 1024 * 1024;

export async function sendStream(response: ServerResponse, stream: EventStream, signal: AbortSignal): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // Proxies that buffer by themselves (nginx) would hold every event back.
    'x-accel-buffering': 'no',
  });
  const over = new AbortController();
  const stop = () => over.abort();
  const send = (text: string) => {
    if (response.writableLength > maxWaitingBytes) stop();
    else response.write(text);
  };
  const alive = setInterval(() => send(': keep-alive\n\n'), keepAliveMs);
  const end = setTimeout(stop, longestMs);
  try {
    await stream(send, AbortSignal.any([signal, over.signal]));
  } finally {
    clearInterval(alive);
    clearTimeout(end);
    response.end();
  }
}

/** One event. `data` is JSON and so has no line breaks of its own. */
export function eventText(event: { readonly id: number; readonly event: string; readonly data: unknown }): string {
  return `id: ${event.id}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}
