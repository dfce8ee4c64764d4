/** The rules for a resource's tools as the library takes them. */
import type { ToolPolicyOptions } from '@mcp-gatehouse/auth/tool-needs';
import type { ResourceConfig } from './schema.ts';
import { withoutUndefined } from './without-undefined.ts';

export function toolRules({ tools = {}, scopes, scopeHierarchy }: ResourceConfig): ToolPolicyOptions {
  return {
    tools: Object.fromEntries(Object.entries(tools).map(([name, needs]) => [name, withoutUndefined(needs)])),
    scopes: Object.keys(scopes),
    ...(scopeHierarchy && { hierarchy: scopeHierarchy }),
  };
}
