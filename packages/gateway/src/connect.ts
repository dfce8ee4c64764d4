/** What to paste into which MCP client: the same lines for the terminal and for the page at `/`. */

export interface ConnectLine {
  readonly client: string;
  /** Where the text goes: a shell, or a file. */
  readonly where: string;
  readonly text: string;
}

/** `sse`: HTTP+SSE of MCP 2024-11-05, which clients call by that name. */
export type ConnectTransport = 'http' | 'sse';

export function connectLines(name: string, url: string, transport: ConnectTransport = 'http'): readonly ConnectLine[] {
  return [
    { client: 'Claude Code', where: 'terminal', text: `claude mcp add --transport ${transport} ${name} ${url}` },
    {
      client: 'VS Code',
      where: 'terminal',
      text: `code --add-mcp '${JSON.stringify({ name, type: transport, url })}'`,
    },
    { client: 'Cursor', where: '~/.cursor/mcp.json', text: JSON.stringify({ mcpServers: { [name]: { url } } }) },
    {
      client: 'MCP Inspector',
      where: 'terminal',
      text: `npx @modelcontextprotocol/inspector --transport ${transport} --server-url ${url}`,
    },
    {
      client: 'mcp-remote',
      where: 'terminal',
      text: `npx mcp-remote ${url}${transport === 'sse' ? ' --transport sse-only' : ''}`,
    },
  ];
}

/** One MCP server of this gateway, as people are told of it. */
export interface ServedServer {
  readonly name: string;
  /** For a client's list of servers; no two have the same. */
  readonly id: string;
  readonly path: string;
  readonly url: string;
  readonly transport: ConnectTransport;
}

/** A short name for a client's list of servers: `/ankify/mcp` is `ankify`. */
export function shortName(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== 'mcp');
  return (parts.at(-1) ?? 'mcp').replace(/[^A-Za-z0-9_-]/g, '-');
}
