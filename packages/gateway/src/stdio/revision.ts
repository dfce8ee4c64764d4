/** What every request of MCP 2026-07-28 must say of itself, in its `_meta` and again in its headers (Streamable HTTP, Standard Request Headers; SEP-2243). */
import type { IncomingHttpHeaders } from 'node:http';
import { statelessRevision } from './backend.ts';
import { membersIn, stringIn } from './wire.ts';

export interface RevisionFault {
  readonly code: -32602 | -32020 | -32022;
  readonly message: string;
  readonly data?: object;
}

/** What of `params` the header Mcp-Name repeats (SEP-2243; SEP-2663 for tasks). */
const mirrored: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Undefined: all is said. That the headers agree with the body was seen when the message was read. */
export function revisionFault(
  headers: IncomingHttpHeaders,
  method: string | undefined,
  params: ReadonlyMap<string, string>,
  isRequest: boolean,
): RevisionFault | undefined {
  const meta = membersIn(params.get('_meta'));
  const version = stringIn(meta.get('io.modelcontextprotocol/protocolVersion'));
  const { 'mcp-protocol-version': header, 'mcp-method': methodHeader, 'mcp-name': nameHeader } = headers;
  if (method === undefined)
    return { code: -32602, message: 'Send requests here: this revision has no answers to them.' };
  if (isRequest && version === undefined) return missing('protocolVersion');
  if (isRequest && !meta.has('io.modelcontextprotocol/clientCapabilities')) return missing('clientCapabilities');
  if (version !== undefined && header !== undefined && header !== version) {
    return mismatch(`MCP-Protocol-Version is another revision than the ${version} of the body.`);
  }
  if (!isRequest) return undefined;
  if (version !== statelessRevision) {
    // The next one may mean other things by the same HTTP.
    const data = { supported: [statelessRevision], requested: version };
    return { code: -32022, message: 'Unsupported protocol version', data };
  }
  if (header === undefined) return mismatch('MCP-Protocol-Version is missing.');
  if (methodHeader === undefined) return mismatch('Mcp-Method is missing.');
  const field = Object.hasOwn(mirrored, method) ? mirrored[method] : undefined;
  if (field !== undefined && nameHeader === undefined && stringIn(params.get(field)) !== undefined) {
    return mismatch('Mcp-Name is missing.');
  }
  return undefined;
}

function missing(key: string): RevisionFault {
  return { code: -32602, message: `Invalid params: _meta lacks io.modelcontextprotocol/${key}.` };
}

function mismatch(what: string): RevisionFault {
  return { code: -32020, message: `Bad Request: the request headers and body disagree: ${what}` };
}
