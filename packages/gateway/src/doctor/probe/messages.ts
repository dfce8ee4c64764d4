/** The MCP messages that the doctor sends, in both eras: `initialize` until 2025-11-25, `server/discover` since 2026-07-28. */
import type { Ask } from './http.ts';

export const wrongToken = 'gatehouse-doctor-wrong-token';

const clientInfo = { name: 'gatehouse doctor', version: '1' };

/** What a client of any revision sends with a message. */
const posted = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };

export const legacyRevision = '2025-06-18';
export const modernRevision = '2026-07-28';

export function initialize(url: string): Ask {
  return message(url, {}, 'initialize', { protocolVersion: legacyRevision, capabilities: {}, clientInfo });
}

export function discover(url: string): Ask {
  const headers = { 'mcp-protocol-version': modernRevision, 'mcp-method': 'server/discover' };
  return message(url, headers, 'server/discover', { _meta: modernMeta });
}

/** `modern`: every request says who asks and how; before, the session did. */
export function toolsList(url: string, modern: boolean): Ask {
  return modern
    ? message(url, { 'mcp-protocol-version': modernRevision, 'mcp-method': 'tools/list' }, 'tools/list', {
        _meta: modernMeta,
      })
    : message(url, { 'mcp-protocol-version': legacyRevision }, 'tools/list', {});
}

export function initialized(url: string): Ask {
  return {
    url,
    method: 'POST',
    headers: { ...posted, 'mcp-protocol-version': legacyRevision },
    body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }),
  };
}

const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': modernRevision,
  'io.modelcontextprotocol/clientInfo': clientInfo,
  'io.modelcontextprotocol/clientCapabilities': {},
};

function message(url: string, headers: Readonly<Record<string, string>>, method: string, params: object): Ask {
  return {
    url,
    method: 'POST',
    headers: { ...posted, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  };
}
